"""Landmarks of a face → the crops of its two eyes and back: the only place with the eyes' crop convention.

An eye's crop is centred between its corners and upright in the face. It shows a subject's right eye: the left one is
mirrored, so that the nose is always on the crop's right. Pixel centres are integers in frame and crop. Training uses
these functions too.
"""

# N eyes, K landmarks, W H crop

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import CropArray, EyeSpec
from startrack.tracker.crop import (
    Affine,
    cut_crop,
    invert_affine,
)
from startrack.tracker.types import FloatArray, ImageArray

RIGHT_EYE = (36, 37, 38, 39, 40, 41)
"""Landmarks of the subject's right eye, in the order of the engine's lids."""
LEFT_EYE = (45, 44, 43, 42, 47, 46)
"""Those of the left eye that its mirror image has in the same order."""
EYES = (RIGHT_EYE, LEFT_EYE)
OUTER, INNER = 0, 3
"""Corners among an eye's landmarks."""
MOUTH_CORNERS = (48, 54)
EYES_TO_MOUTH = 1.3
"""Distance of the outer eye corners over that from the eyes' middle to the mouth's, as of a face from the front. A turn
to the side shortens the first, a nod the second: the larger one is the face's eye distance."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeRoi:
    """Where the crop of one eye is cut."""

    centre: FloatArray
    """(2,) frame pixels, the middle of the eye's corners."""
    width: float
    """Of the crop, frame pixels."""
    angle_rad: float
    """Direction of the face's left-to-right axis in the frame; positive is clockwise on the screen (y points down)."""
    mirrored: bool
    """Whether the eye is the subject's left."""


def eye_rois(spec: EyeSpec, points: FloatArray) -> tuple[EyeRoi, EyeRoi]:
    """The crops of the right and the left eye of a face with iBUG's landmarks, (68, 2) frame pixels."""
    points = np.asarray(points, np.float64)
    corners = np.array([points[[eye[OUTER], eye[INNER]]] for eye in EYES])
    centres = corners.mean(axis=1)
    across = centres[1] - centres[0]
    down = points[list(MOUTH_CORNERS)].mean(axis=0) - centres.mean(axis=0)
    # both axes of the face: seen from the side one eye hides the other, and the first is short
    axis = across + np.array([down[1], -down[0]])
    eye_distance = max(math.dist(corners[0, 0], corners[1, 0]), EYES_TO_MOUTH * math.hypot(*down))
    angle = math.atan2(axis[1], axis[0])
    widths = [max(math.dist(*pair), spec.least_corners * eye_distance, 1e-3) * spec.crop_scale for pair in corners]
    return EyeRoi(centres[0], widths[0], angle, mirrored=False), EyeRoi(centres[1], widths[1], angle, mirrored=True)


def eye_affine(spec: EyeSpec, roi: EyeRoi) -> Affine:
    """(2, 3), frame pixels → crop pixels; tracker.crop.invert_affine gives the way back."""
    zoom = spec.input_width / roi.width
    side = -1.0 if roi.mirrored else 1.0
    cos, sin = zoom * math.cos(roi.angle_rad), zoom * math.sin(roi.angle_rad)
    linear = np.array([[side * cos, side * sin], [-sin, cos]])
    middle = np.array([spec.input_width - 1, spec.input_height - 1]) / 2
    return np.column_stack([linear, middle - linear @ np.asarray(roi.centre, np.float64)])


def cut_eye(spec: EyeSpec, image: ImageArray, affine: Affine) -> ImageArray:
    """The (H, W, 3) crop of a picture, (h, w, 3) uint8 RGB; smoothed like a face's where it is made smaller."""
    width, height = spec.input_width, spec.input_height
    size = max(width, height)
    shift = np.array([[0, 0, (size - width) // 2], [0, 0, (size - height) // 2]])
    square = cut_crop(image, affine + shift, size)
    top, left = int(shift[1, 2]), int(shift[0, 2])
    return square[top : top + height, left : left + width]


@dataclass(frozen=True, slots=True, eq=False)
class EyeCut:
    """The crops of N eyes, and the ways between each crop and its picture."""

    crops: CropArray
    """(N, H, W, 3) uint8 RGB."""
    affines: NDArray[np.float64]
    """(N, 2, 3), frame pixels → crop pixels."""
    inverse_affines: NDArray[np.float64]
    """(N, 2, 3), crop pixels → frame pixels."""
    zooms: NDArray[np.float64]
    """(N,) crop pixels per frame pixel, negative where the crop is mirrored."""

    def points_back(self, points_NK2: FloatArray) -> NDArray[np.float64]:
        """(N, K, 2) crop pixels → frame pixels, in the same order of landmarks."""
        linear, shift = self.inverse_affines[:, :, :2], self.inverse_affines[:, None, :, 2]
        moved: NDArray[np.float64] = np.asarray(points_NK2, np.float64) @ linear.transpose(0, 2, 1) + shift
        return moved

    def lids_back(self, spec: EyeSpec, lids_N62: FloatArray) -> NDArray[np.float64]:
        """(N, 6, 2) lids as the engine gives them → frame pixels, as the markup's annotators set them (lid_bias), which
        the landmarks of a model trained on it have, too."""
        bias = np.array(spec.lid_bias or (0.0,) * 12).reshape(6, 2)
        return self.points_back(lids_N62 + np.copysign(1.0, self.zooms)[:, None, None] * bias)

    def covariance_back(self, covariance_NK22: FloatArray) -> NDArray[np.float64]:
        """(N, K, 2, 2) px² of the crops → px² of the frame."""
        linear = self.inverse_affines[:, None, :, :2]
        moved: NDArray[np.float64] = linear @ np.asarray(covariance_NK22, np.float64) @ linear.transpose(0, 1, 3, 2)
        return moved

    def length_back(self, lengths_N: FloatArray) -> NDArray[np.float64]:
        """(N,) crop pixels → frame pixels."""
        found: NDArray[np.float64] = np.asarray(lengths_N, np.float64) / np.abs(self.zooms)
        return found

    def gaze_back(self, gaze_N3: FloatArray) -> NDArray[np.float64]:
        """(N, 3) directions in the crops' axes → in axes along the line from the camera to each eye."""
        gaze = np.array(gaze_N3, np.float64)
        turned = self.affines[:, :, :2] / np.abs(self.zooms)[:, None, None]
        gaze[:, :2] = (gaze[:, None, :2] @ turned)[:, 0]
        return gaze


def cut_eyes(spec: EyeSpec, image: ImageArray, rois: tuple[EyeRoi, ...]) -> EyeCut:
    """The crops of eyes of one picture, (h, w, 3) uint8 RGB, as eye_rois gives them."""
    affines = [eye_affine(spec, roi) for roi in rois]
    crops = np.array([cut_eye(spec, image, affine) for affine in affines], np.uint8)
    inverse = [invert_affine(affine) for affine in affines]
    zooms = [(-1 if roi.mirrored else 1) * spec.input_width / roi.width for roi in rois]
    return EyeCut(
        crops.reshape(-1, spec.input_height, spec.input_width, 3),
        np.array(affines).reshape(-1, 2, 3),
        np.array(inverse).reshape(-1, 2, 3),
        np.array(zooms),
    )


def gaze_into(affine: Affine, gaze: FloatArray, ray: FloatArray) -> NDArray[np.float64]:
    """(3,) direction of a gaze in the camera's axes → in the crop's, where (0, 0, -1) looks into the camera.

    Both have x to the right, y down and z away from the camera. ray: (3,) from the camera to the eye, of any length,
    (x − cx, y − cy, focal length) in frame pixels: a crop looks the same wherever in the picture it is cut, so its
    axes turn with the ray. gaze_back is the inverse.
    """
    return _planar(affine) @ _onto_axis(ray) @ np.asarray(gaze, np.float64)


def gaze_back(affine: Affine, gaze: FloatArray, ray: FloatArray) -> NDArray[np.float64]:
    """(3,) direction of a gaze in the crop's axes → in the camera's; arguments as gaze_into."""
    return (_planar(affine) @ _onto_axis(ray)).T @ np.asarray(gaze, np.float64)


def _planar(affine: Affine) -> NDArray[np.float64]:
    """(3, 3) the crop's turn, and its mirroring, without its size."""
    turn = np.eye(3)
    linear = affine[:, :2]
    turn[:2, :2] = linear / math.sqrt(abs(float(np.linalg.det(linear))))
    return turn


def _onto_axis(ray: FloatArray) -> NDArray[np.float64]:
    """(3, 3) the least turn that brings a ray onto (0, 0, 1)."""
    x, y, z = np.asarray(ray, np.float64) / np.linalg.norm(ray)
    # Rodrigues' formula for the axis across both, valid for any ray that does not point at the viewer
    share = 1 / (1 + z)
    return np.array([[1 - share * x * x, -share * x * y, -x], [-share * x * y, 1 - share * y * y, -y], [x, y, z]])
