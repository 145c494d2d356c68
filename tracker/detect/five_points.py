"""Eyes, nose tip and mouth corners → our face box: what YuNet and the labels of many photos give."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import eye_angle
from startrack.tracker.types import FaceBox, FloatArray

# Fitted by benchmarks/fits/fit_five_points.py, which states the residuals. Unit: the points' spread (see
# point_features).
SHIFT_ACROSS = np.array([0.6232, -1.5240, 0.1388, 0.1031])
"""(4,) weights of the odd features: how far our centre lies to the right of the points' mean."""
SHIFT_DOWN = np.array([0.1556, -0.1630, -0.0741, -0.2387, 0.2343, 0.5138])
"""(6,) weights of the even features: how far our centre lies below the points' mean, towards the chin."""
SIDE = np.array([1.8259, -0.2215, -1.7152, -0.4020, -0.6560, 8.0671])
"""(6,) weights of the even features: our side."""
SIDE_LIMITS = (2.8, 4.6)
"""Sides of training faces lie between 2.98 and 4.39 spreads; beyond these limits the points are nonsense."""
SHIFT_LIMIT = 1.5


def point_features(points: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]]:
    """The basis of the box: the points seen from their mean, along the face's upright axes.

    points: (5, 2) pixels: the face's own right eye, left eye, nose tip, right and left mouth corner.
    Returns (4,) odd features, which change sign when the picture is mirrored; (6,) even ones, the last of them 1; the
    spread, the root mean square distance from the mean, in pixels; (2, 2) the upright axes as columns. Features are in
    units of the spread.
    """
    angle = eye_angle(points[0], points[1])
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = (np.asarray(points, np.float64) - points.mean(axis=0)) @ axes
    spread = max(math.sqrt(float((upright**2).sum(axis=1).mean())), 1e-3)
    right_eye, left_eye, nose, right_mouth, left_mouth = upright / spread
    eyes, mouth = (right_eye + left_eye) / 2, (right_mouth + left_mouth) / 2
    eye_gap, mouth_gap = left_eye - right_eye, left_mouth - right_mouth
    odd = np.array([eyes[0], nose[0], mouth[0], mouth_gap[1]])
    even = np.array([eyes[1], nose[1], mouth[1], eye_gap[0], mouth_gap[0], 1.0])
    return odd, even, spread, axes


def box_from_five_points(points: FloatArray, score: float) -> FaceBox:
    """The square on the centre of the landmarks' bounding box, with its larger side. points: as in point_features."""
    odd, even, spread, axes = point_features(points)
    shift = np.clip([odd @ SHIFT_ACROSS, even @ SHIFT_DOWN], -SHIFT_LIMIT, SHIFT_LIMIT)
    half = spread * float(np.clip(even @ SIDE, *SIDE_LIMITS)) / 2
    middle = points.mean(axis=0) + spread * (axes @ shift)
    return FaceBox(np.concatenate([middle - half, middle + half]), score, np.array(points[:2], np.float64))
