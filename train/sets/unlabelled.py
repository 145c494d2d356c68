"""Faces that nobody marked: landmarks by a teacher, good enough to cut the face out by, of weight 0 in the loss."""

# K landmarks

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from startrack.tracker.crop import roi_from_points
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.sets.face_photos import FacePhoto
from startrack.train.sets.sample import Sample, read_picture

Find = Callable[[ImageArray, Sequence[Roi]], tuple[FloatArray, FloatArray]]
"""A picture and where F faces are in it → (F, K, 2) landmarks, pixels of the picture, and (F,) their probability."""
SMALLEST_FACE = 40
"""Pixels, brows to chin: below, a teacher knows too little to teach."""
SURE = 0.9
"""Least probability of a face."""
REACH = 2.2
"""Side of the part of a photo that is kept, over the face's: what turned, shifted and shrunk crops need."""


@dataclass(frozen=True, slots=True)
class PartOfPhoto:
    """A train.sets.sample.Picture: a rectangle of a photo."""

    path: Path
    corners: tuple[int, int, int, int]
    """Left, top, right, bottom, pixels of the photo; the last two are outside."""

    def read(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError if the photo is missing or no picture."""
        left, top, right, bottom = self.corners
        return read_picture(self.path)[top:bottom, left:right].copy()


def photo_faces(photos: Sequence[FacePhoto], find: Find, *, crop_scale: float) -> list[Sample]:
    """The faces of photos that are large enough and that the teacher recognises, each with the photo around it.

    find looks twice: at the detector's square, then at the crop around the landmarks found there.
    """
    samples = []
    for photo in photos:
        large = np.flatnonzero(photo.squares[:, 2] >= SMALLEST_FACE)
        if not len(large):
            continue
        image = photo.read_image()
        points, _ = find(image, [_first_roi(photo.squares[face], photo.eyes[face], crop_scale) for face in large])
        points, presence = find(image, [roi_from_points(one, crop_scale) for one in points])
        samples += [
            _sample(photo.path, image.shape, one, entry=str(face))
            for face, one, sure in zip(large, points, presence >= SURE, strict=True)
            if sure
        ]
    return samples


def _first_roi(square: FloatArray, eyes: FloatArray, crop_scale: float) -> Roi:
    """As tracker.crop.roi_from_box cuts a detection."""
    across = eyes[1] - eyes[0]
    angle = float(np.arctan2(across[1], across[0])) if np.isfinite(across).all() else 0.0
    return Roi(np.asarray(square[:2], np.float64), float(square[2]) * crop_scale, angle)


def _sample(path: Path, shape: Sequence[int], points: FloatArray, entry: str) -> Sample:
    roi = roi_from_points(points, REACH)
    low = np.floor(roi.centre - roi.side / 2).clip(0).astype(int)
    high = np.minimum(np.ceil(roi.centre + roi.side / 2).astype(int) + 1, [shape[1], shape[0]])
    part = PartOfPhoto(path, (int(low[0]), int(low[1]), int(high[0]), int(high[1])))
    return Sample(path, points - low, "unlabelled", weight=0.0, entry=entry, picture=part)
