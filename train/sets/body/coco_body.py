"""COCO's people with 17 landmarks, as published (Lin et al., ECCV 2014): annotations and pictures of 2017.

Coordinates are taken unchanged, as pixels counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from startrack.tracker.schemes import COCO_17
from startrack.train.sets.body.bodies import Body, as_published, read_json
from startrack.train.sets.sample import NOT_ANNOTATED, DatasetError, Sample, picture_below

SPLITS = ("train", "val")
PERSON = 1


def annotation_file(root: Path, split: str) -> Path:
    """What COCO's own evaluation reads as the truth of a split."""
    return root / "annotations" / f"person_keypoints_{split}2017.json"


def load(root: Path, split: str) -> list[Body]:
    """People of a split (one of SPLITS) with a landmark and a box, in the file's order; crowds are left out.

    root: the folder that holds annotations, train2017 and val2017. Boxes are cut off at the picture's border, as the
    HRNet code does. Raises DatasetError, with file and entry, for whatever is not as published.
    """
    path, pictures = _files(root, split)
    content = read_json(path)
    with as_published(f"{path}"):
        images = {int(image["id"]): image for image in content["images"]}
        entries = list(content["annotations"])
    found = (_body(f"{path}: annotations[{n}]", entry, images, pictures, split) for n, entry in enumerate(entries))
    bodies = [body for body in found if body is not None]
    if not bodies:
        raise DatasetError(f"{path}: no person with a landmark in it")
    return bodies


def load_detected(root: Path, split: str, detections: Path, *, min_score: float = 0.0) -> list[Body]:
    """The boxes of a person detector, in COCO's result format, as people without landmarks.

    detections: a list of {image_id, category_id, bbox, score}, e.g. those published with HRNet (person AP 56.4 on val);
    other categories and scores below min_score are left out. Raises DatasetError.
    """
    path, pictures = _files(root, split)
    content = read_json(path)
    with as_published(f"{path}"):
        images = {int(image["id"]): image for image in content["images"]}
    bodies = []
    for number, entry in enumerate(read_json(detections)):
        where = f"{detections}: [{number}]"
        with as_published(where):
            if entry["category_id"] != PERSON or entry["score"] < min_score:
                continue
            image = images[entry["image_id"]]
            box = _clean_box(entry["bbox"], image)
            nowhere = np.full((COCO_17.num_landmarks, 2), np.nan)
            unknown = np.zeros(COCO_17.num_landmarks, np.uint8)
            picture = picture_below(pictures, image["file_name"], where)
            sample = Sample(picture, nowhere, split, entry=str(number), visibility=unknown, box=box)
            if box is not None:
                bodies.append(Body(sample, image["id"], box_score=float(entry["score"])))
    return bodies


def _files(root: Path, split: str) -> tuple[Path, Path]:
    if split not in SPLITS:
        raise DatasetError(f"COCO's bodies have no split {split!r}; expected one of {', '.join(SPLITS)}")
    return annotation_file(root, split), root / f"{split}2017"


def _body(
    where: str, entry: Mapping[str, Any], images: Mapping[int, Mapping[str, Any]], pictures: Path, split: str
) -> Body | None:
    with as_published(where):
        if entry["category_id"] != PERSON or entry.get("iscrowd", 0) or not any(entry["keypoints"]):
            return None
        image = images[entry["image_id"]]
        values = np.array(entry["keypoints"], np.float64).reshape(COCO_17.num_landmarks, 3)
        if not (np.isfinite(values).all() and np.isin(values[:, 2], (0, 1, 2)).all()):
            raise ValueError("landmarks are finite numbers, visibility 0, 1 or 2")
        box = _clean_box(entry["bbox"], image)
        points, visibility = values[:, :2].copy(), values[:, 2].astype(np.uint8)
        points[visibility == NOT_ANNOTATED] = np.nan
        if box is None or entry["area"] <= 0 or not visibility.any():
            return None
        picture = picture_below(pictures, image["file_name"], where)
        sample = Sample(picture, points, split, entry=str(entry["id"]), visibility=visibility, box=box)
        return Body(sample, int(image["id"]), area=float(entry["area"]))


def _clean_box(bbox: Any, image: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """x, y, width, height → (4,) xyxy within the picture; None if nothing of it is."""
    x, y, width, height = (float(value) for value in bbox)
    last = np.array([image["width"], image["height"]], np.float64) - 1
    low = np.maximum([x, y], 0)
    high = np.minimum(low + np.maximum([width - 1, height - 1], 0), last)
    return np.concatenate([low, high]) if (high >= low).all() and min(width, height) > 0 else None
