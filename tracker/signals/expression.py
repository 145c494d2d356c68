"""Landmarks and pose → what eyes, mouth and brows do, as ARKit's blendshapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.signals.head_pose import head_pose
from startrack.tracker.types import FloatArray, HeadPose

LEAST_DEPTH = 0.35
"""cos 70°: a head turned further is taken for turned so far, else the far half of the face would be blown up."""
Float64Array = NDArray[np.float64]


def frontal_shape(points: FloatArray, pose: HeadPose) -> Float64Array:
    """(68, 2) the face as seen from its front, in distances of the mean head's outer eye corners, x right, y down.

    Each landmark is taken back through the pose at the depth that the mean head has there.
    """
    rows = pose.rotation[:2]
    flat = (points - pose.origin) / pose.scale_px - np.outer(HEAD_68[:, 2], rows[:, 2])
    camera = rows[:, :2]
    left, values, right = np.linalg.svd(camera)
    shape: Float64Array = flat @ (left / np.maximum(values, LEAST_DEPTH) @ right)
    return shape


def measures(points: FloatArray) -> dict[str, float]:
    """Distances on the frontal face, in distances of the mean head's outer eye corners. points: (68, 2) frame pixels.

    right and left are the face's own. eye: height over width. mouth_gap: between the inner lips. mouth_width: between
    the corners. corner: how far a corner lies above the middle of the upper lip's lower edge. brow: height of a brow's
    inner or outer part above the eye's corners.
    """
    return measures_of(frontal_shape(points, head_pose(points)))


def measures_of(shape: FloatArray) -> dict[str, float]:
    """measures of a frontal_shape."""

    def eye(outer: int, upper: tuple[int, int], inner: int, lower: tuple[int, int]) -> float:
        gap = np.linalg.norm(shape[list(upper)] - shape[list(lower)], axis=1).mean()
        return float(gap / max(float(np.linalg.norm(shape[outer] - shape[inner])), 1e-6))

    def height(upper: list[int], lower: list[int]) -> float:
        return float(shape[lower, 1].mean() - shape[upper, 1].mean())

    return {
        "eye_right": eye(36, (37, 38), 39, (41, 40)),
        "eye_left": eye(45, (44, 43), 42, (46, 47)),
        "mouth_gap": height([61, 62, 63], [67, 66, 65]),
        "mouth_width": float(np.linalg.norm(shape[54] - shape[48])),
        "corner_right": float(shape[62, 1] - shape[48, 1]),
        "corner_left": float(shape[62, 1] - shape[54, 1]),
        "brow_inner_right": height([20, 21], [36, 39]),
        "brow_inner_left": height([22, 23], [42, 45]),
        "brow_outer_right": height([17, 18, 19], [36, 39]),
        "brow_outer_left": height([24, 25, 26], [42, 45]),
    }


def blendshapes(points: FloatArray, pose: HeadPose) -> dict[str, float]:
    """ARKit's coefficients, 0..1, that follow from 68 landmarks; left and right are the face's own. points: frame
    pixels.

    Ramps between a usual face and the 2nd or 98th percentile of the training faces, not between what this person's
    face does: somebody with high brows always has some browInnerUp.
    """
    measured = measures_of(frontal_shape(points, pose))
    narrow, open_mouth = _ramp(measured["mouth_width"], 0.55, 0.44), _ramp(measured["mouth_gap"], 0.02, 0.26)
    wide = _ramp(measured["mouth_width"], 0.64, 0.83)
    brows_inner = (measured["brow_inner_right"] + measured["brow_inner_left"]) / 2
    shapes = {
        "jawOpen": open_mouth,
        "mouthPucker": narrow * (1 - open_mouth),
        "mouthFunnel": narrow * open_mouth,
        "browInnerUp": _ramp(brows_inner, 0.24, 0.32),
    }
    for side in ("Right", "Left"):
        eye, corner = measured[f"eye_{side.lower()}"], measured[f"corner_{side.lower()}"]
        shapes |= {
            f"eyeBlink{side}": _ramp(eye, 0.25, 0.09),
            f"eyeWide{side}": _ramp(eye, 0.38, 0.48),
            f"mouthSmile{side}": (wide + _ramp(corner, 0.015, 0.075)) / 2,
            f"mouthFrown{side}": _ramp(corner, -0.02, -0.075),
            f"browOuterUp{side}": _ramp(measured[f"brow_outer_{side.lower()}"], 0.24, 0.32),
            f"browDown{side}": _ramp(measured[f"brow_inner_{side.lower()}"], 0.20, 0.14),
        }
    return shapes


def _ramp(value: float, nothing: float, full: float) -> float:
    """0 at `nothing`, 1 at `full`, straight between."""
    return min(max((value - nothing) / (full - nothing), 0.0), 1.0)
