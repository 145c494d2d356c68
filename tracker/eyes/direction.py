"""Directions of gaze as unit vectors and as angles, and from one frame of reference to another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.eyes.crop import gaze_back
from startrack.tracker.types import FloatArray, Intrinsics

# axes: x right, y down, z away from the camera; angles 0, 0 look along (0, 0, -1)

Float64Array = NDArray[np.float64]
UPRIGHT = np.eye(2, 3)
"""The affine of a crop that is the frame itself."""


def angles_of(directions: FloatArray) -> Float64Array:
    """(..., 2) radians to the right and downwards of unit vectors (..., 3); the inverse of direction_of."""
    vectors = np.asarray(directions, np.float64)
    aside = np.arctan2(vectors[..., 0], -vectors[..., 2])
    return np.stack([aside, np.arcsin(np.clip(vectors[..., 1], -1, 1))], axis=-1)


def direction_of(angles: FloatArray) -> Float64Array:
    """(..., 3) unit vectors of angles (..., 2): a turn about the vertical axis, then one downwards, up to 90°."""
    both = np.asarray(angles, np.float64)
    aside, down = both[..., 0], both[..., 1]
    return np.stack([np.sin(aside) * np.cos(down), np.sin(down), -np.cos(aside) * np.cos(down)], axis=-1)


def turn_to(direction: FloatArray) -> Float64Array:
    """(3, 3) rotation that carries (0, 0, -1) onto a unit vector (3,): about the vertical axis, without a roll."""
    aside, down = angles_of(direction).tolist()
    (cos_a, sin_a), (cos_d, sin_d) = (math.cos(aside), math.sin(aside)), (math.cos(down), math.sin(down))
    about_y = np.array([[cos_a, 0.0, -sin_a], [0.0, 1.0, 0.0], [sin_a, 0.0, cos_a]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_d, -sin_d], [0.0, sin_d, cos_d]])
    turn: Float64Array = about_y @ about_x
    return turn


def line_of_sight(camera: Intrinsics, point: FloatArray) -> Float64Array:
    """(3, 3) from axes whose z is the line from the camera to a point (2,) in frame pixels, to the camera's axes.

    Of a guessed camera they are the same: poses of heads are then relative to that line, too
    (tracker/signals/head_pose.py).
    """
    if camera.is_guess:
        return np.eye(3)
    ray = np.array([*(np.asarray(point, np.float64) - camera.centre), camera.focal_px])
    return np.stack([gaze_back(UPRIGHT, axis, ray) for axis in np.eye(3)], axis=1)
