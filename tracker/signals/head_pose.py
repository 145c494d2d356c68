"""Landmarks → where the head is and how it is turned."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.head_model import HEAD_68, OUTER_EYES_MM, POSE_WEIGHTS
from startrack.tracker.types import FloatArray, HeadPose

# N views, n points; camera axes: x right, y down, z away from the camera

POSED = tuple(range(17, 68))
"""The landmarks that determine the pose: all but the jaw, whose points slide along the outline as the head turns."""
Float64Array = NDArray[np.float64]


def weak_perspective(
    views_Nn2: FloatArray, head_n3: FloatArray, weights_n: FloatArray
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The pose of a rigid head in N views under weak perspective: points ≈ scale · (turn · head)_xy + origin.

    Weighted least squares for the 2×3 camera, then the nearest scaled rotation (its singular values averaged). Needs no
    focal length. Perspective is neglected: at 5 eye distances from the camera a face is found turned by 3° to
    5°.

    views: pixels. head: any unit. Returns (N, 3, 3) rotations from the head's axes to the camera's, (N,) pixels per
    unit of the head, (N, 2) pixels where the head's origin is seen.
    """
    weights = weights_n / weights_n.sum()
    head_mean, view_means = weights @ head_n3, np.einsum("k,nka->na", weights, views_Nn2)
    centred = head_n3 - head_mean
    weighted = centred * weights[:, None]
    solve = weighted @ np.linalg.inv(centred.T @ weighted)
    cameras_N23 = np.einsum("nka,ki->nai", views_Nn2 - view_means[:, None], solve)
    left, values, right = np.linalg.svd(cameras_N23, full_matrices=False)
    rows = left @ right
    turns = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    scales = values.mean(axis=1)
    return turns, scales, view_means - scales[:, None] * (rows @ head_mean)


def head_pose(points: FloatArray) -> HeadPose:
    """The pose of a face. points: (68, 2) in iBUG's numbering, frame pixels."""
    turns, scales, origins = weak_perspective(np.asarray(points, np.float64)[None, 17:], HEAD_68[17:], POSE_WEIGHTS)
    return HeadPose(turns[0], float(scales[0]), origins[0])


def position_mm(pose: HeadPose, width: int, height: int) -> Float64Array:
    """(3,) where the point between the outer eye corners lies, camera axes, for a frame of width × height pixels.

    A camera's focal length is not known from its pictures: taken to be the frame's width (53° from left to right), and
    the eyes to be OUTER_EYES_MM apart. Distances are right up to these two factors.
    """
    depth = width * OUTER_EYES_MM / max(pose.scale_px, 1e-6)
    across, down = (pose.origin - [(width - 1) / 2, (height - 1) / 2]) * (depth / width)
    return np.array([across, down, depth])


def quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """x, y, z, w of a (3, 3) rotation."""
    axis = cv2.Rodrigues(np.asarray(rotation, np.float64))[0].ravel()
    angle = float(np.linalg.norm(axis))
    x, y, z = axis * (np.sin(angle / 2) / angle if angle > 1e-12 else 0.5)
    return float(x), float(y), float(z), float(np.cos(angle / 2))
