"""Crops and coordinates exactly as the STAR code has them: float32 matrices, perspective warp, labels in -1..1.

The crop's convention is that of tracker/crop.py; what differs is rounding, and that nothing is averaged down before the
picture is sampled. Equal to the official values bit for bit with OpenCV 5. [TRAP] OpenCV 4 interpolates in steps of
1/32 pixel, so pictures differ by up to 3 grey levels; points do not.
"""

# K landmarks, S side of the crop

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import crop_affine
from startrack.tracker.types import FloatArray, ImageArray, Roi

Matrix = NDArray[np.float32]
"""(3, 3), frame pixels → crop pixels; the last row is 0, 0, 1."""

Float32Array = NDArray[np.float32]

FACE_PIXELS = 200
"""A scale of 1 in the STAR data files is a crop of this side in frame pixels."""


def roi_from_scale(centre_x: float, centre_y: float, scale: float) -> Roi:
    """The square that the STAR data files give by centre and scale: upright, of side 200 · scale."""
    return Roi(centre=np.array([centre_x, centre_y], np.float64), side=FACE_PIXELS * scale)


def roi_from_tight_box(xyxy: FloatArray) -> Roi:
    """The square around the tight box of a face's landmarks: on its centre, 1.05 times its smaller side (demo.py).

    [TRAP] The smaller side: points of a long face may fall outside the crop.
    """
    left, top, right, bottom = (float(value) for value in xyxy)
    scale = min(right - left, bottom - top) / FACE_PIXELS * 1.05
    return roi_from_scale((left + right) / 2, (top + bottom) / 2, scale)


def crop_matrix(roi: Roi, size: int = 256) -> Matrix:
    """The matrix frame → crop of a size × size crop."""
    return np.vstack([crop_affine(roi, size), [0, 0, 1]]).astype(np.float32)


def cut_star_crop(image: ImageArray, matrix: Matrix, size: int = 256) -> ImageArray:
    """The (S, S, 3) crop of a picture, bilinear, black outside it; channels as they come."""
    return cv2.warpPerspective(image, matrix, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def network_input(crop: ImageArray) -> Float32Array:
    """(S, S, 3) uint8 → (3, S, S) float32 in -1..1. [TRAP] The published weights want BGR."""
    scaled: Float32Array = (crop.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 127.5)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def frame_to_crop(matrix: Matrix, points_K2: FloatArray) -> Float32Array:
    """(K, 2) frame pixels → (K, 2) crop pixels, in float32 throughout."""
    points_K3 = np.column_stack([points_K2, np.ones(len(points_K2))]).astype(np.float32) @ matrix.T
    points: Float32Array = points_K3[:, :2] / points_K3[:, 2:]
    return points


def crop_to_frame(matrix: Matrix, points_K2: FloatArray) -> Float32Array:
    """(K, 2) crop pixels → (K, 2) frame pixels; the inverse of frame_to_crop for a matrix without perspective."""
    inverse = np.linalg.inv(matrix)
    points = np.asarray(points_K2, np.float32) @ inverse[:2, :2].T + inverse[:2, 2]
    return np.asarray(points, np.float32)


def normalise(points_K2: FloatArray, size: int = 256) -> Float32Array:
    """(K, 2) crop pixels → -1..1, by pixel borders: the crop's left edge, half a pixel before the first, is -1.

    Points outside the crop go to its border, as in the STAR code: there is no visibility.
    """
    normalised: Float32Array = (2 * np.asarray(points_K2, np.float32) + 1) / np.float32(size) - 1
    return np.clip(normalised, -1, 1)


def denormalise(points_K2: FloatArray, size: int = 256) -> Float32Array:
    """(K, 2) in -1..1 → crop pixels; the inverse of normalise within the crop."""
    pixels = ((np.asarray(points_K2, np.float32) + 1) * np.float32(size) - 1) / np.float32(2)
    return np.asarray(pixels, np.float32)
