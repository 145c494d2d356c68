"""Box or landmarks → ROI → affine → crop and back: the only place with the crop convention.

A crop is the ROI's square, turned upright and scaled to S×S. Pixel centres are integers in frame and crop,
so the ROI's centre falls on (S - 1) / 2 (the STAR code's 127.5 for 256 pixels). Training uses these functions too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FaceBox, FloatArray, ImageArray, Roi

Affine = NDArray[np.float64]
"""(2, 3), frame pixels → crop pixels."""
SOFTNESS = 0.6
"""Blur of a crop whose face is made much smaller, crop pixels (σ). Without it landmarks of a moving head tremble more
(docs/smoothing.md); 0.7 gains little more and begins to cost accuracy."""
BORDER = 1
"""Pixels that the blur reads beyond the crop, averaged blocks."""


def bounding_box(points: FloatArray) -> FloatArray:
    """(K, 2) points → (4,) xyxy."""
    box: FloatArray = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return box


def roi_from_points(points: FloatArray, scale: float, angle_rad: float = 0.0) -> Roi:
    """The square around landmarks: on the centre of their bounding box, `scale` times its larger side.

    points: (K, 2) frame pixels; those of unknown place (NaN) do not count. The bounding box is taken along the axes of
    a face turned by angle_rad, so with an angle of 0 and a scale of 1.25 this is the ground-truth box of an evaluation.
    Raises ValueError if no place is known.
    """
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    upright = np.array([[cos, sin], [-sin, cos]]) @ np.asarray(points, np.float64).T
    (left, top), (right, bottom) = upright.min(axis=1).tolist(), upright.max(axis=1).tolist()
    x, y = (left + right) / 2, (top + bottom) / 2
    side = max(right - left, bottom - top) * scale
    if math.isnan(x + y):
        return roi_from_points(_known(points), scale, angle_rad)
    return Roi(centre=np.array([cos * x - sin * y, sin * x + cos * y]), side=max(side, 1e-3), angle_rad=angle_rad)


def _known(points: FloatArray) -> FloatArray:
    """Those of (K, 2) points whose place is known. Raises ValueError if there is none."""
    known: FloatArray = points[~np.isnan(points).any(axis=1)]
    if not len(known):
        raise ValueError(f"none of {len(points)} landmarks has a place; expected one or more")
    return known


def eye_angle(left: FloatArray, right: FloatArray) -> float:
    """Direction from the eye on the picture's left to the one on its right, radians; each (2,) frame pixels."""
    (left_x, left_y), (right_x, right_y) = left.tolist(), right.tolist()
    return math.atan2(right_y - left_y, right_x - left_x)


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
    # vec(A Σ Aᵀ) = (A ⊗ A) vec(Σ): one product, where numpy takes many of two by two one after the other
    kronecker = (linear[:, None, :, None] * linear[:, None]).reshape(4, 4)
    moved: NDArray[np.float64] = covariance.reshape(-1, 4) @ kronecker.T
    return moved.reshape(covariance.shape)


def cut_crop(image: ImageArray, affine: Affine, size: int) -> ImageArray:
    """The (size, size, 3) crop of a picture, bilinear, black outside the picture.

    A face larger than the crop is first blurred as much as it is made smaller, a much larger one first averaged down
    by a whole factor: bilinear sampling alone skips pixels then, and the landmarks of a still face would tremble with
    the sensor's noise, those of a moving one with its place between the pixels.
    """
    (a, b, _), (c, d, _) = affine.tolist()
    zoom = math.sqrt(abs(a * d - b * c))
    if 0 < zoom < 1:
        image, affine = _soft_part(image, affine, size, 1 / zoom)
    return cv2.warpAffine(image, affine, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _soft_part(image: ImageArray, affine: Affine, size: int, shrink: float) -> tuple[ImageArray, Affine]:
    """The part of the picture under the crop, averaged down by a whole factor and blurred, and the affine from there to
    the crop."""
    factor = int(shrink)
    # in plain numbers: numpy's calls would take longer than the averaging
    (a, b, x), (c, d, y) = invert_affine(affine).tolist()
    middle, reach = (size - 1) / 2, size / 2
    centre_x, centre_y = (a + b) * middle + x, (c + d) * middle + y
    # blocks are counted from the frame's corner, so a moving ROI does not move them; BORDER of them for the blur
    columns = _blocks(centre_x, reach * (abs(a) + abs(b)), factor)
    rows = _blocks(centre_y, reach * (abs(c) + abs(d)), factor)
    part = image[rows, columns]
    height, width = part.shape[:2]
    if height < factor or width < factor:
        return image, affine
    # at the picture's right and lower edge a block may be cut off: the rest of it is black, like all that is outside
    if height % factor or width % factor:
        part = np.pad(part, ((0, -height % factor), (0, -width % factor), (0, 0)))
    part = average_blocks(part, factor)
    # of a Gaussian in frame pixels, less that of the blocks
    variance = SOFTNESS**2 * (shrink**2 - 1) - (factor**2 - 1) / 12
    # three by three, as five by five takes half as long again; it blurs a quarter less just below a scale of 2
    part = np.asarray(cv2.GaussianBlur(part, (3, 3), math.sqrt(variance) / factor), np.uint8)
    # small pixel u shows frame pixel factor * (u + 0.5) - 0.5 + left
    left, top = columns.start + (factor - 1) / 2, rows.start + (factor - 1) / 2
    (a, b, x), (c, d, y) = affine.tolist()
    return part, np.array(
        [[factor * a, factor * b, a * left + b * top + x], [factor * c, factor * d, c * left + d * top + y]]
    )


def average_blocks(image: ImageArray, factor: int) -> ImageArray:
    """(H, W, 3) → (H / factor, W / factor, 3), the mean of each block; both sides are multiples of the factor."""
    if factor == 1:
        return image
    smaller = image.shape[1] // factor, image.shape[0] // factor
    if factor in (3, 5):
        # one pixel of each block, of means taken everywhere: OpenCV does it in half the time of what gives the same
        means = cv2.blur(image, (factor, factor), anchor=(0, 0))
        return cv2.resize(means, smaller, interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]
    return cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _blocks(centre: float, reach: float, factor: int) -> slice:
    """The pixels of an axis that lie in whole blocks of `factor`, up to `reach` from the centre and BORDER beyond."""
    first = math.floor((centre - reach) / factor) - BORDER
    last = math.ceil((centre + reach) / factor) + 1 + BORDER
    return slice(max(first, 0) * factor, max(last, 0) * factor)
