"""Inputs over which the ranges of a network's maps are measured before it is quantised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import DetectorSpec, EyeSpec, ModelSpec
from startrack.tracker.cut import in_colour_order
from startrack.tracker.detect.letterbox import letterbox
from startrack.tracker.types import ImageArray
from startrack.train.feed.dataset import FaceDataset, ItemKey
from startrack.train.feed.eye_dataset import EyeChanges, EyeDataset
from startrack.train.sets.eyes.eye_truth import FaceEyes
from startrack.train.sets.face_photos import FacePhoto
from startrack.train.sets.sample import Sample, fully_annotated

PHOTO_SHAPE = (224, 320)
"""Rows and columns of a detector's pictures: all maps of one size are measured together."""
DIMMED_EVERY = 4
"""One photo in so many is shown under coloured light or dark."""


def range_crops(samples: Sequence[Sample], spec: ModelSpec, count: int, seed: int) -> list[NDArray[np.uint8]]:
    """`count` random faces, (1, S, S, 3) each, as a landmark model sees them."""
    known = fully_annotated(samples, spec.num_landmarks)
    chosen = np.random.default_rng(seed).choice(len(known), min(count, len(known)), replace=False)
    crops = FaceDataset([known[int(index)] for index in chosen], spec, augmentation=None)
    return [crops[ItemKey(0, index)].crops.numpy()[None] for index in range(len(crops))]


def range_eyes(faces: Sequence[FaceEyes], spec: EyeSpec, count: int, seed: int) -> list[NDArray[np.uint8]]:
    """Both eyes of `count` random faces, (1, H, W, 3) each, changed as in a training."""
    chosen = np.random.default_rng(seed).choice(len(faces), min(count, len(faces)), replace=False)
    crops = EyeDataset([faces[int(index)] for index in chosen], spec, changes=EyeChanges(), seed=seed)
    return [crops[ItemKey(0, index)].crops.numpy()[None] for index in range(len(crops))]


def range_photos(photos: Sequence[FacePhoto], spec: DetectorSpec, count: int, seed: int) -> list[NDArray[np.uint8]]:
    """`count` random photos, (1, *PHOTO_SHAPE, 3) each, as a detector sees them."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(photos), min(count, len(photos)), replace=False)
    return [
        in_colour_order(spec, _photo(photos[int(index)].read_image(), number, spec, rng))[None]
        for number, index in enumerate(chosen)
    ]


def _photo(image: ImageArray, number: int, spec: DetectorSpec, rng: np.random.Generator) -> ImageArray:
    rows, columns = PHOTO_SHAPE
    shrunk = letterbox(image, columns, spec.strides[-1]).picture[:rows]
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[: shrunk.shape[0], : shrunk.shape[1]] = shrunk
    if number % DIMMED_EVERY:
        return picture
    return (picture * rng.uniform(0.1, 1, 3)).astype(np.uint8)
