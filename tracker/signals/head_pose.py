"""Landmarks → where the head is and how it is turned."""

from __future__ import annotations

import math
from functools import cache
from operator import mul
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.head_model import OUTER_EYES_MM, PHOTO_HEAD
from startrack.tracker.types import FloatArray, HeadModel, HeadPose, Intrinsics

# N views, n points; camera axes: x right, y down, z away from the camera

Float64Array = NDArray[np.float64]
POSED = tuple(range(17, 68))
"""The landmarks that determine the pose: all but the jaw, whose points slide along the outline as the head turns."""
ROUNDS = 6
"""Gauss-Newton steps of a perspective pose; the last ones change it by less than a thousandth of a degree."""
NEAREST = 1.5
"""Least distance of a head under perspective, in distances of its outer eye corners."""


def guessed_camera(width: int, height: int) -> Intrinsics:
    """A camera of which nothing is known: focal length of one frame width (53° from left to right)."""
    return Intrinsics(float(width), ((width - 1) / 2, (height - 1) / 2), is_guess=True)


def camera_of_view(fov_deg: float, width: int, height: int) -> Intrinsics:
    """The camera with this angle of view from left to right, 0 < fov_deg < 180, and its axis in the frame's middle."""
    focal_px = width / 2 / math.tan(math.radians(fov_deg) / 2)
    return Intrinsics(focal_px, ((width - 1) / 2, (height - 1) / 2))


class RigidFit(NamedTuple):
    """What weighted least squares needs to know of a rigid head."""

    weights: Float64Array
    """(n,) of its points, their sum 1."""
    mean: Float64Array
    """(3,) weighted mean of its points."""
    solve: Float64Array
    """(n, 3): the transposed views times it are the 2×3 camera."""


def rigid_fit(head_n3: FloatArray, weights_n: FloatArray) -> RigidFit:
    """head: any unit."""
    weights = np.asarray(weights_n / weights_n.sum(), np.float64)
    mean = weights @ head_n3
    centred = head_n3 - mean
    weighted = centred * weights[:, None]
    return RigidFit(weights, mean, weighted @ np.linalg.inv(centred.T @ weighted))


@cache
def pose_fit(head: HeadModel) -> RigidFit:
    """Of the landmarks that determine the pose."""
    return rigid_fit(head.points[17:], head.weights)


def weak_perspective(views_Nn2: FloatArray, fit: RigidFit) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The pose of a rigid head in N views under weak perspective: points ≈ scale · (turn · head)_xy + origin.

    Weighted least squares for the 2×3 camera, then the nearest scaled rotation (its singular values averaged). Needs no
    focal length. Perspective is neglected: at 5 eye distances from the camera a face is found turned by 3° to
    5°.

    views: pixels. Returns (N, 3, 3) rotations from the head's axes to the camera's, (N,) pixels per unit of the head,
    (N, 2) pixels where the head's origin is seen.
    """
    view_means = fit.weights @ views_Nn2
    cameras_N23 = (views_Nn2 - view_means[:, None]).transpose(0, 2, 1) @ fit.solve
    turns, scales = nearest_turns(cameras_N23)
    return turns, scales, view_means - scales[:, None] * (turns[:, :2] @ fit.mean)


def nearest_turns(cameras_N23: Float64Array) -> tuple[Float64Array, Float64Array]:
    """(N, 3, 3) rotations whose first two rows are the orthonormal ones nearest to a matrix, and (N,) the mean of its
    singular values. The square root of a symmetric 2×2 matrix S is (S + √det S · 1) / √(tr S + 2 √det S)."""
    turns, scales = list[list[list[float]]](), list[float]()
    # in plain numbers: of the one or two views of a frame numpy's calls take several times as long
    for first, second in cameras_N23.tolist():
        a, b, d = (sum(map(mul, x, y)) for x, y in ((first, first), (first, second), (second, second)))
        root = math.sqrt(max(a * d - b * b, 1e-24 * (a + d) ** 2 + 1e-300))
        sum_of_values = math.sqrt(a + d + 2 * root)
        whole = root * sum_of_values
        p, q, r = (d + root) / whole, -b / whole, (a + root) / whole
        x0, x1, x2 = (p * x + q * y for x, y in zip(first, second, strict=True))
        y0, y1, y2 = (q * x + r * y for x, y in zip(first, second, strict=True))
        turns.append([[x0, x1, x2], [y0, y1, y2], [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0]])
        scales.append(sum_of_values / 2)
    return np.array(turns).reshape(-1, 3, 3), np.array(scales)


def head_rotation(points: FloatArray, head: HeadModel = PHOTO_HEAD) -> Float64Array:
    """(3, 3) from the head's axes to the camera's under weak perspective. points: (68, 2) in iBUG's numbering."""
    views = np.asarray([points[17:]], np.float64)
    rotation: Float64Array = weak_perspective(views, pose_fit(head))[0][0]
    return rotation


def head_pose(points: FloatArray, camera: Intrinsics, head: HeadModel = PHOTO_HEAD) -> HeadPose:
    """The pose of a face; under perspective if the camera is known. points: (68, 2) in iBUG's numbering, frame
    pixels."""
    posed = np.asarray(points, np.float64)[17:]
    turns, scales, origins = weak_perspective(posed[None], pose_fit(head))
    scale = max(float(scales[0]), 1e-6)
    depth = camera.focal_px * OUTER_EYES_MM / scale
    position = np.array([*(origins[0] - camera.centre) * depth / camera.focal_px, depth])
    if camera.is_guess:
        return HeadPose(turns[0], float(scales[0]), origins[0], camera, position, head)
    rotation, position = _refined(posed, turns[0], position, camera, head)
    scale = camera.focal_px * OUTER_EYES_MM / float(position[2])
    origin = np.array(camera.centre) + camera.focal_px * position[:2] / position[2]
    return HeadPose(rotation, scale, origin, camera, position, head)


def _refined(
    points_n2: Float64Array, rotation: Float64Array, position_mm: Float64Array, camera: Intrinsics, head: HeadModel
) -> tuple[Float64Array, Float64Array]:
    """Rotation and position that minimise the weighted squared distances in the picture, by Gauss-Newton from those of
    weak perspective."""
    head_n3, root_n = head.points[17:] * OUTER_EYES_MM, np.sqrt(head.weights)
    nearest = NEAREST * OUTER_EYES_MM
    for _ in range(ROUNDS):
        turned = head_n3 @ rotation.T
        x, y, z = (turned + position_mm).T
        z = np.maximum(z, nearest / 3)
        zero, lens = np.zeros_like(z), camera.focal_px / z
        by_place = np.stack([lens, zero, -lens * x / z, zero, lens, -lens * y / z], axis=1).reshape(-1, 2, 3)
        # a small turn w moves a point p by w × p
        cross = np.cross(np.eye(3)[:, None], turned).transpose(1, 2, 0)
        slopes = np.concatenate([by_place @ cross, by_place], axis=2) * root_n[:, None, None]
        missed = (points_n2 - camera.centre - np.stack([lens * x, lens * y], axis=1)) * root_n[:, None]
        step = np.linalg.lstsq(slopes.reshape(-1, 6), missed.ravel(), rcond=None)[0]
        rotation = np.asarray(cv2.Rodrigues(step[:3])[0], np.float64) @ rotation
        position_mm = position_mm + step[3:]
        position_mm[2] = max(position_mm[2], nearest)
    return rotation, position_mm


def without_perspective(points: FloatArray, pose: HeadPose) -> FloatArray:
    """(…, 68, 2) the landmarks as they would be seen in parallel projection at the pose's scale, frame pixels; points:
    (…, 68, 2). Each is as far from the camera as on the mean head; of a guessed camera they stay as they are."""
    if pose.camera.is_guess:
        return points
    behind = OUTER_EYES_MM * (pose.head.points @ pose.rotation[2]) / pose.position_mm[2]
    parallel: Float64Array = pose.camera.centre + (points - pose.camera.centre) * (1 + behind)[:, None]
    return parallel


def quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """x, y, z, w of a (3, 3) rotation."""
    axis = cv2.Rodrigues(np.asarray(rotation, np.float64))[0].ravel()
    angle = float(np.linalg.norm(axis))
    x, y, z = axis * (np.sin(angle / 2) / angle if angle > 1e-12 else 0.5)
    return float(x), float(y), float(z), float(np.cos(angle / 2))


def part_of_turn(rotation: FloatArray, share: float) -> Float64Array:
    """(3, 3) the turn about the same axis by a share of the angle."""
    part = cv2.Rodrigues(share * cv2.Rodrigues(np.asarray(rotation, np.float64))[0])[0]
    return np.asarray(part, np.float64)
