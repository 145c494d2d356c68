"""MPII Human Pose, 16 landmarks (Andriluka et al., CVPR 2014): the lists published with HRNet, or the original file.

| file below the root | splits |
|---|---|
| annot/train.json, annot/valid.json, for valid also annot/gt_valid.mat | train, valid |
| mpii_human_pose_v1_u12_1.mat | train (the original withholds its test's landmarks) |

Pictures lie in images. Published coordinates count from 1 (Matlab) and are lowered by 1 here, so that landmarks,
squares and PCKh are those of the HRNet code, which lowers the centre and raises its predictions again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import MPII_16
from startrack.tracker.types import FloatArray, Roi
from startrack.train.sets.body.bodies import BOX_SCALE, Body, as_published, read_json
from startrack.train.sets.matlab.mat_file import read_mat
from startrack.train.sets.sample import NOT_ANNOTATED, VISIBLE, DatasetError, Sample, picture_below

SPLITS = ("train", "valid")
ORIGINAL = "mpii_human_pose_v1_u12_1.mat"
PERSON_PIXELS = 200
"""Height of a person of scale 1."""
HEAD_SHARE = 0.6
"""Of the diagonal of the head's box: the unit of PCKh."""


def load(root: Path, split: str) -> list[Body]:
    """People of a split (one of SPLITS), in the file's order. Raises DatasetError for whatever is not as published."""
    if split not in SPLITS:
        raise DatasetError(f"MPII has no split {split!r}; expected one of {', '.join(SPLITS)}")
    path = root / "annot" / f"{split}.json"
    if path.is_file():
        heads = read_head_sizes(root / "annot" / "gt_valid.mat") if split == "valid" else None
        return _read_list(path, root / "images", split, heads)
    if split == "train" and (root / ORIGINAL).is_file():
        return _read_original(root / ORIGINAL, root / "images")
    raise DatasetError(f"{path}: no such file; expected HRNet's lists of MPII, or for train {root / ORIGINAL}")


def body_square(centre: FloatArray, scale: float) -> Roi:
    """The HRNet code's square of a person: 15 scales below the published centre, 1.25 times as high as the person.

    centre: (2,) pixels counted from 1.
    """
    x, y = (float(value) for value in centre)
    return Roi(np.array([x - 1, y + 15 * scale - 1]), max(PERSON_PIXELS * scale * BOX_SCALE, 1e-3))


def head_size(corners_4: FloatArray) -> float:
    """Pixels, of a head's box x1, y1, x2, y2."""
    return float(HEAD_SHARE * np.hypot(corners_4[2] - corners_4[0], corners_4[3] - corners_4[1]))


def read_head_sizes(path: Path) -> NDArray[np.float64]:
    """(N,) of gt_valid.mat: unit of PCKh of each person of the list. Raises DatasetError."""
    content = read_mat(path)
    with as_published(str(path)):
        boxes = np.asarray(content["headboxes_src"], np.float64)
        boxes_22N = boxes[..., None] if boxes.ndim == 2 else boxes
        if boxes_22N.ndim != 3 or boxes_22N.shape[:2] != (2, 2):
            raise ValueError(f"headboxes_src is {boxes.shape}, expected (2, 2, N)")
        return np.array([head_size(corners) for corners in boxes_22N.reshape(4, -1).T])


def _read_list(path: Path, pictures: Path, split: str, heads: NDArray[np.float64] | None) -> list[Body]:
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise DatasetError(f"{path}: a list of people expected")
    if heads is not None and len(heads) != len(entries):
        raise DatasetError(f"{path}: {len(entries)} people, but gt_valid.mat has {len(heads)} heads")
    bodies = []
    for number, entry in enumerate(entries):
        where = f"{path}: [{number}]"
        with as_published(where):
            points = np.array(entry["joints"], np.float64).reshape(MPII_16.num_landmarks, 2) - 1
            known = np.array(entry["joints_vis"], np.float64).reshape(MPII_16.num_landmarks) > 0
            roi = body_square(np.array(entry["center"], np.float64), float(entry["scale"]))
            picture = picture_below(pictures, entry["image"], where)
        sample = _sample(picture, points, known, roi, (split, str(number)))
        bodies.append(Body(sample, head_size=0.0 if heads is None else float(heads[number])))
    return bodies


def _sample(
    picture: Path, points: NDArray[np.float64], known: NDArray[np.bool_], roi: Roi, name: tuple[str, str]
) -> Sample:
    visibility = np.where(known, VISIBLE, NOT_ANNOTATED).astype(np.uint8)
    landmarks = np.where(known[:, None], points, np.nan)
    return Sample(picture, landmarks, name[0], entry=name[1], visibility=visibility, roi=roi)


def _read_original(path: Path, pictures: Path) -> list[Body]:
    """Everyone of the training pictures with landmarks, centre and scale."""
    release = read_mat(path)
    with as_published(str(path)):
        content = release["RELEASE"]
        listed = list(zip(_entries(content["annolist"]), _entries(content["img_train"]), strict=True))
    bodies: list[Body] = []
    for index, (entry, train) in enumerate(listed):
        where = f"{path}: annolist({index + 1})"
        with as_published(where):
            people = _entries(entry["annorect"]) if train else []
            for number, person in enumerate(people):
                if not all(_entries(person.get(field)) for field in ("annopoints", "objpos", "scale")):
                    continue
                picture = picture_below(pictures, entry["image"]["name"], where)
                bodies.append(_original_body(person, picture, f"{index}.{number}"))
    if not bodies:
        raise DatasetError(f"{path}: no person with landmarks in it")
    return bodies


def _entries(value: Any) -> list[Any]:
    """Of an array, of which one value alone is that value; none of a missing one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _original_body(person: Mapping[str, Any], picture: Path, entry: str) -> Body:
    points, known = np.zeros((MPII_16.num_landmarks, 2)), np.zeros(MPII_16.num_landmarks, bool)
    for point in _entries(person["annopoints"]["point"]):
        number = int(point["id"])
        points[number], known[number] = (float(point["x"]) - 1, float(point["y"]) - 1), True
    place = person["objpos"]
    roi = body_square(np.array([place["x"], place["y"]], np.float64), float(person["scale"]))
    head = np.array([person[name] for name in ("x1", "y1", "x2", "y2")], np.float64)
    return Body(_sample(picture, points, known, roi, ("train", entry)), head_size=head_size(head))
