"""Box or landmarks → ROI → affine → crop and back: the only place with the crop convention.

A crop is the ROI's square, turned upright and scaled to S×S. Pixel centres are integers in frame and crop alike,
so the ROI's centre falls on (S - 1) / 2 (the STAR code's 127.5 for 256 pixels). Training uses these functions too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.schemes import LandmarkScheme
from tracker.types import FaceBox, FloatArray, ImageArray, Roi

Affine = NDArray[np.float64]
"""(2, 3), frame pixels → crop pixels."""


def bounding_box(points: FloatArray) -> FloatArray:
    """(K, 2) points → (4,) xyxy."""
    box: FloatArray = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return box


def roi_from_points(points: FloatArray, scale: float, angle_rad: float = 0.0) -> Roi:
    """The square around landmarks: on the centre of their bounding box, `scale` times its larger side.

    points: (K, 2) frame pixels. The bounding box is taken along the axes of a face turned by angle_rad, so with an
    angle of 0 and a scale of 1.25 this is the ground-truth box of an evaluation.
    """
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    axes = np.array([[cos, -sin], [sin, cos]])
    upright = np.asarray(points, np.float64) @ axes
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = axes @ ((low + high) / 2)
    return Roi(centre=centre, side=max(float((high - low).max()) * scale, 1e-3), angle_rad=angle_rad)


def eye_angle(left: FloatArray, right: FloatArray) -> float:
    """Direction from the eye on the picture's left to the one on its right, radians; each (2,) frame pixels."""
    delta = np.asarray(right, np.float64) - np.asarray(left, np.float64)
    return math.atan2(float(delta[1]), float(delta[0]))


def roi_from_landmarks(points: FloatArray, scheme: LandmarkScheme, scale: float) -> Roi:
    """The upright crop of the next frame from this frame's landmarks, (K, 2) frame pixels; unturned without eyes."""
    if not (scheme.left_eye and scheme.right_eye):
        return roi_from_points(points, scale)
    left, right = scheme.eye_weights @ points
    return roi_from_points(points, scale, eye_angle(left, right))


def roi_from_box(box: FaceBox, scale: float) -> Roi:
    """The first crop of a face: the detector's box (brows to chin), `scale` times its larger side, turned upright
    by the eyes if the detector gives them."""
    left, top, right, bottom = (float(value) for value in box.xyxy)
    angle = 0.0 if box.eyes is None else eye_angle(box.eyes[0], box.eyes[1])
    side = max(right - left, bottom - top) * scale
    return Roi(centre=np.array([(left + right) / 2, (top + bottom) / 2]), side=max(side, 1e-3), angle_rad=angle)


def crop_affine(roi: Roi, size: int) -> Affine:
    """The affine frame → crop of a `size`×`size` crop; invert_affine gives the way back."""
    zoom = size / roi.side
    cos, sin = zoom * math.cos(roi.angle_rad), zoom * math.sin(roi.angle_rad)
    x, y, middle = float(roi.centre[0]), float(roi.centre[1]), (size - 1) / 2
    return np.array([[cos, sin, middle - cos * x - sin * y], [-sin, cos, middle + sin * x - cos * y]])


def invert_affine(affine: Affine) -> Affine:
    """(2, 3) → (2, 3), the inverse map. Raises ZeroDivisionError for a map that has none."""
    (a, b, x), (c, d, y) = affine.tolist()
    # by hand: numpy's inverse takes three times as long, once for every face of a frame
    area = 1 / (a * d - b * c)
    a, b, c, d = d * area, -b * area, -c * area, a * area
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def transform_points(affine: Affine, points: FloatArray) -> NDArray[np.float64]:
    """(..., 2) points through a (2, 3) affine."""
    return np.asarray(points, np.float64) @ affine[:, :2].T + affine[:, 2]


def transform_covariance(affine: Affine, covariance: FloatArray) -> NDArray[np.float64]:
    """(..., 2, 2) covariances through a (2, 3) affine: A Σ Aᵀ."""
    linear = affine[:, :2]
    return linear @ np.asarray(covariance, np.float64) @ linear.T


def cut_crop(image: ImageArray, affine: Affine, size: int) -> ImageArray:
    """The (size, size, 3) crop of a picture, bilinear, black outside the picture.

    A face much larger than the crop is first averaged down by a whole factor: bilinear sampling alone skips pixels
    then, and the landmarks of a still face would tremble with the sensor's noise.
    """
    (a, b, _), (c, d, _) = affine.tolist()
    zoom = math.sqrt(abs(a * d - b * c))
    factor = int(1 / zoom) if zoom > 0 else 1
    if factor >= 2:
        image, affine = _shrink(image, affine, size, factor)
    return cv2.warpAffine(image, affine, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _shrink(image: ImageArray, affine: Affine, size: int, factor: int) -> tuple[ImageArray, Affine]:
    """The part of the picture under the crop, averaged down by `factor`, and the affine from there to the crop."""
    corners = transform_points(invert_affine(affine), np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5)
    # blocks are counted from the frame's corner, so a moving ROI does not move them
    left, top = (np.floor(corners.min(axis=0) / factor).astype(int) * factor).clip(0)
    right, bottom = ((np.ceil(corners.max(axis=0) / factor).astype(int) + 1) * factor).clip(0)
    part = image[top:bottom, left:right]
    height, width = part.shape[:2]
    if height < factor or width < factor:
        return image, affine
    # at the picture's right and lower edge a block may be cut off: the rest of it is black, like all that is outside
    if height % factor or width % factor:
        part = np.pad(part, ((0, -height % factor), (0, -width % factor), (0, 0)))
    columns, rows = part.shape[1] // factor, part.shape[0] // factor
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # small pixel u shows frame pixel factor * (u + 0.5) - 0.5 + left
    offset = (factor - 1) / 2 + np.array([left, top], np.float64)
    return small, np.column_stack([affine[:, :2] * factor, affine[:, :2] @ offset + affine[:, 2]])  # type: ignore[return-value]
