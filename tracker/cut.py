"""Faces of pictures → crops as a model takes them, and points of the crops → pixels of the pictures."""

# N faces, K landmarks, S side of the crop

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import CropArray, DetectorSpec, ModelSpec
from startrack.tracker.crop import (
    Affine,
    crop_affine,
    cut_crop,
    invert_affine,
    transform_covariance,
    transform_points,
)
from startrack.tracker.types import FloatArray, ImageArray, Roi

Move: TypeAlias = Callable[[Affine, FloatArray], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The crops of N faces, and the ways between each crop and its picture."""

    crops: CropArray
    """(N, S, S, 3) uint8 in the model's colour order."""
    affines: tuple[Affine, ...]
    """N of (2, 3), pixels of the picture → crop pixels."""
    inverse_affines: tuple[Affine, ...]
    """N of (2, 3), crop pixels → pixels of the picture."""

    def points_into(self, points_NK2: Sequence[FloatArray] | FloatArray) -> NDArray[np.float64]:
        """(N, K, 2) pixels of the pictures → crop pixels; NaN stays NaN."""
        return _each(transform_points, self.affines, points_NK2)

    def points_back(self, points_NK2: FloatArray) -> NDArray[np.float64]:
        """(N, K, 2) crop pixels → pixels of the pictures; the inverse of points_into."""
        return _each(transform_points, self.inverse_affines, points_NK2)

    def covariance_back(self, covariance_NK22: FloatArray) -> NDArray[np.float64]:
        """(N, K, 2, 2) px² of the crops → px² of the pictures."""
        return _each(transform_covariance, self.inverse_affines, covariance_NK22)


def cut_for(spec: ModelSpec, image: ImageArray, rois: Iterable[Roi]) -> Cut:
    """The crops of several faces of one picture, (H, W, 3) uint8 RGB."""
    return cut_each(spec, ((image, roi) for roi in rois))


def cut_each(spec: ModelSpec, faces: Iterable[tuple[ImageArray, Roi]]) -> Cut:
    """The crop of each face in a picture of its own, (H, W, 3) uint8 RGB; one picture is looked at after the other."""
    size, crops, affines = spec.input_size, list[ImageArray](), list[Affine]()
    for image, roi in faces:
        affine = crop_affine(roi, size)
        affines.append(affine)
        crops.append(cut_crop(image, affine, size))
    stacked = np.array(crops, np.uint8).reshape(-1, size, size, 3)
    return Cut(in_colour_order(spec, stacked), tuple(affines), tuple(invert_affine(affine) for affine in affines))


def in_colour_order(spec: ModelSpec | DetectorSpec, image: ImageArray) -> ImageArray:
    """(..., 3) RGB → the order of channels that the model takes, contiguous; its own inverse."""
    return image if spec.colour_order == "rgb" else np.ascontiguousarray(image[..., ::-1])


def _each(move: Move, affines: Sequence[Affine], values: Sequence[FloatArray] | FloatArray) -> NDArray[np.float64]:
    """Each face's values through its own affine."""
    moved = np.empty((len(affines), *np.shape(values)[1:]))
    for row, affine, one in zip(moved, affines, values, strict=True):
        row[...] = move(affine, one)
    return moved
