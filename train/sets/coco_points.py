"""A user's own landmarks as COCO keypoints: pictures and a JSON file that any annotation tool writes.

The category names the landmarks and their connections. Coordinates are taken unchanged, as pixels
counted from 0. [TRAP] Left and right in COCO are the person's own: the eye on the picture's left is the right one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from startrack.outside import read_json, reason, shown
from startrack.tracker.schemes import Edge, LandmarkScheme, plain_scheme
from startrack.train.sets.sample import NOT_ANNOTATED, DatasetError, Sample, picture_below

PICTURE_FOLDER = "images"


def load(root: Path, split: str) -> list[Sample]:
    """The annotations of root/split.json, or root/annotations/split.json, in the file's order; entry is their id.

    root: pictures are looked for by file_name in root/images if there is such a folder, else in root. An annotation
    without a single known landmark (num_keypoints 0, as COCO has for crowds) is no face and is left out. Raises
    DatasetError, with file and entry, for whatever is not as COCO describes it.
    """
    path = _annotation_file(root, split)
    content = _read(path)
    scheme = _scheme(path, content)
    pictures = root / PICTURE_FOLDER if (root / PICTURE_FOLDER).is_dir() else root
    files = {
        _field(path, f"images[{index}]", image, "id", int): picture_below(
            pictures, _field(path, f"images[{index}]", image, "file_name", str), f"{path}: images[{index}]"
        )
        for index, image in enumerate(_list(path, content, "images"))
    }
    samples = [
        _sample(path, f"annotations[{index}]", entry, files, scheme, split)
        for index, entry in enumerate(_list(path, content, "annotations"))
    ]
    faces = [sample for sample in samples if sample.annotated.any()]
    if not faces:
        raise DatasetError(f"{path}: no annotation with a landmark in it")
    return faces


def read_scheme(root: Path, split: str) -> LandmarkScheme:
    """The markup that the file describes: edges from its skeleton, flip pairs and eyes from the landmarks' names.

    Two landmarks change places when the names differ by "left" and "right" alone (left_eye and right_eye, eye-L and
    eye-R, leftEye and rightEye). Raises DatasetError as load does.
    """
    path = _annotation_file(root, split)
    return _scheme(path, _read(path))


def _annotation_file(root: Path, split: str) -> Path:
    candidates = (root / f"{split}.json", root / "annotations" / f"{split}.json")
    for path in candidates:
        if path.is_file():
            return path
    raise DatasetError(f"{candidates[0]}: no such file, nor in {candidates[1].parent}; expected COCO's annotations")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not JSON that can be read: {reason(error)}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: an object with images, annotations and categories expected")
    return content


def _list(path: Path, content: Mapping[str, Any], name: str) -> list[Any]:
    entries = content.get(name)
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: no list {name!r}; expected images, annotations and categories")
    return entries


def _field(path: Path, where: str, entry: Any, name: str, kind: type) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get(name), kind) or isinstance(entry[name], bool):
        raise DatasetError(f"{path}: {where}: no {name!r} of type {kind.__name__}")
    return entry[name]


def read_names(root: Path, split: str) -> list[str]:
    """The landmarks' names, in their order. Raises DatasetError as load does."""
    path = _annotation_file(root, split)
    return _names(path, _category(path, _read(path)))


def _category(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one that names the landmarks."""
    named = [each for each in _list(path, content, "categories") if isinstance(each, dict) and each.get("keypoints")]
    if len(named) != 1:
        raise DatasetError(f"{path}: {len(named)} categories with 'keypoints', expected one: the landmarks' names")
    return named[0]


def _names(path: Path, category: Mapping[str, Any]) -> list[str]:
    names: list[str] = _field(path, "categories", category, "keypoints", list)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise DatasetError(
            f"{path}: categories: 'keypoints' must be names, each once; found {shown(names, longest=200)}"
        )
    return names


def _scheme(path: Path, content: Mapping[str, Any]) -> LandmarkScheme:
    category = _category(path, content)
    names = _names(path, category)
    skeleton = category.get("skeleton") or []
    if not isinstance(skeleton, list):
        raise DatasetError(f"{path}: categories: 'skeleton' is {shown(skeleton)}; expected a list of pairs")
    return scheme_of_names(names, [_edge(path, pair, names) for pair in skeleton])


def _edge(path: Path, pair: Any, names: Sequence[str]) -> tuple[int, int]:
    """COCO counts the ends of a bone from 1."""
    whole = isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
    if not whole or not all(1 <= end <= len(names) for end in pair):
        raise DatasetError(f"{path}: categories: 'skeleton' has {shown(pair)}; expected two of 1 to {len(names)}")
    return pair[0] - 1, pair[1] - 1


def scheme_of_names(names: Sequence[str], edges: Sequence[tuple[int, int]] = ()) -> LandmarkScheme:
    """The markup of landmarks with these names: flip pairs of those that differ by left and right alone.

    left_eye and right_eye, one landmark each, are its eyes and pupils. It bears the plain scheme's name, by which a
    model file finds the number of its landmarks; edges and flip pairs stay with the data.
    """
    index = {name: number for number, name in enumerate(names)}
    pairs = {tuple(sorted((index[name], index[other]))) for name in names if (other := _mirrored(name)) in index}
    # the person's right eye is on the picture's left
    eyes = (index["right_eye"], index["left_eye"]) if {"left_eye", "right_eye"} <= set(names) else None
    return LandmarkScheme(
        name=plain_scheme(len(names)).name,
        num_landmarks=len(names),
        flip_pairs=tuple((first, second) for first, second in sorted(pairs) if first != second),
        edges=tuple(Edge(f"{names[first]} – {names[second]}", (first, second)) for first, second in edges),
        left_eye=eyes[:1] if eyes else (),
        right_eye=eyes[1:] if eyes else (),
        pupils=eyes,
    )


SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


def _mirrored(name: str) -> str:
    """The name with its words left and right, or l and r, exchanged."""
    return re.sub(r"[A-Z]?[a-z]+|[A-Z]+", lambda word: _other_side(word[0]), name)


def _other_side(word: str) -> str:
    other = SIDES.get(word.lower(), word)
    return other.upper() if word.isupper() else other.capitalize() if word.istitle() else other


def _sample(
    path: Path, where: str, entry: Any, files: Mapping[int, Path], scheme: LandmarkScheme, split: str
) -> Sample:
    picture = files.get(_field(path, where, entry, "image_id", int))
    if picture is None:
        raise DatasetError(f"{path}: {where}: image_id {shown(entry['image_id'])} is none of the images")
    values = _numbers(path, where, entry, "keypoints", 3 * scheme.num_landmarks)
    points, visibility = values.reshape(-1, 3)[:, :2].copy(), values.reshape(-1, 3)[:, 2]
    if not np.isin(visibility, (0, 1, 2)).all():
        raise DatasetError(f"{path}: {where}: visibility is 0, 1 or 2, found {sorted(set(visibility.tolist()))}")
    points[visibility == NOT_ANNOTATED] = np.nan
    box = None
    if entry.get("bbox") is not None:
        x, y, width, height = _numbers(path, where, entry, "bbox", 4)
        if min(width, height) <= 0:
            raise DatasetError(f"{path}: {where}: bbox {shown(entry['bbox'])}; expected x, y, width and height above 0")
        box = np.array([x, y, x + width, y + height])
    return Sample(
        path=picture,
        landmarks=points,
        subset=split,
        entry=str(_field(path, where, entry, "id", int)),
        visibility=visibility.astype(np.uint8),
        box=box,
    )


def _numbers(path: Path, where: str, entry: Mapping[str, Any], name: str, count: int) -> Any:
    try:
        values = np.array(_field(path, where, entry, name, list), np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.zeros(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise DatasetError(f"{path}: {where}: {name!r} must be {count} finite numbers")
    return values
