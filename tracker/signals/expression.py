"""Landmarks and pose → the distances on a face that its expression changes."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.head_pose import RigidFit, rigid_fit, weak_perspective, without_perspective
from startrack.tracker.types import FloatArray, HeadModel, HeadPose

# M measures; a frontal shape is (68, 2) x right, y down, in distances of the mean head's outer eye corners

LEAST_DEPTH = 0.35
"""cos 70°: a head turned further is taken for turned so far, else the far half of the face would be blown up."""
Float64Array = NDArray[np.float64]
Terms = tuple[tuple[float, int, tuple[int, ...]], ...]
"""Factor, axis (0 x, 1 y) and the landmarks whose mean it is of."""

NOSE, RIDGE, EYE = (31, 32, 33, 34, 35), (27, 28, 29, 30), (36, 39)

RIGID = {
    **dict.fromkeys((36, 39, 42, 45, 27, 28, 29, 30, *range(17, 27)), 1.0),
    **dict.fromkeys((33,), 0.5),
    **dict.fromkeys((31, 32, 34, 35), 0.1),
    **dict.fromkeys(range(48, 68), 0.02),
}
"""Share of its weight that a landmark keeps in the pose that expressions are measured at; lids keep none. A grin lifts
the nose's wings; brows move, too, but less than an open mouth moves a pose that neglects them."""
RIGID_SHARES = np.array([RIGID.get(k, 0.0) for k in range(17, 68)])


def _above(upper: tuple[int, ...], lower: tuple[int, ...]) -> Terms:
    return (1.0, 1, lower), (-1.0, 1, upper)


def _right_of(right: tuple[int, ...], left: tuple[int, ...]) -> Terms:
    return (1.0, 0, right), (-1.0, 0, left)


SIDED: dict[str, Terms] = {
    "brow_inner": _above((20, 21), EYE),
    "brow_middle": _above((18, 19), EYE),
    "brow_outer": _above((17, 18), EYE),
    "brow_near": _right_of((27,), (20, 21)),
    "lid_upper": _above((37, 38), EYE),
    "lid_lower": _above(EYE, (40, 41)),
    "wing_up": _above((31, 32), EYE),
    "wing_out": _right_of((33,), (31,)),
    "corner_out": _right_of(RIDGE, (48,)),
    "corner_up": _above((48,), NOSE),
    "lip_upper": _above((49, 50), NOSE),
    "lip_upper_inner": _above((61,), NOSE),
    "lip_lower_inner": _above(NOSE, (67,)),
    "lip_lower": _above(NOSE, (58, 59)),
}
"""Of the face's own right half; a height is positive where the first landmarks lie above the second ones."""
MIDDLE: dict[str, Terms] = {
    "mid_upper": _above((51,), NOSE),
    "mid_upper_inner": _above((62,), NOSE),
    "mid_lower_inner": _above(NOSE, (66,)),
    "mid_lower": _above(NOSE, (57,)),
    "chin": _above(NOSE, (7, 8, 9)),
    "chin_aside": _right_of((7, 8, 9), RIDGE),
    "mouth_aside": _right_of((51, 57, 62, 66), RIDGE),
}
ASIDE = ("chin_aside", "mouth_aside")
"""Positive to the picture's right: their mirror images have the other sign."""
MEASURES = (*(f"{name}_{side}" for side in ("right", "left") for name in SIDED), *MIDDLE)
OPENINGS = ("eye_right", "eye_left")
"""Height of each eye's opening over its width, after the linear measures."""
EYES = ((36, (37, 38), 39, (41, 40)), (45, (44, 43), 42, (46, 47)))
"""Outer corner, upper lid, inner corner, and the lower lid's point below each of the upper one's."""
FROM = [mark for outer, upper, _, _ in EYES for mark in (*upper, outer)]
TO = [mark for _, _, inner, lower in EYES for mark in (*lower, inner)]
"""Ends of two heights and the width of each eye."""


def _row(terms: Terms, *, mirrored: bool) -> Float64Array:
    row = np.zeros((68, 2))
    for factor, axis, landmarks in terms:
        mine = [int(IBUG_68.flip_order[k]) for k in landmarks] if mirrored else list(landmarks)
        row[mine, axis] += factor * (-1 if mirrored and axis == 0 else 1) / len(mine)
    return row.ravel()


LINEAR = np.array(
    [
        *(_row(terms, mirrored=mirrored) for mirrored in (False, True) for terms in SIDED.values()),
        *(_row(terms, mirrored=False) for terms in MIDDLE.values()),
    ]
)
"""(M, 136) each of MEASURES from the coordinates x0, y0, x1 … of a frontal shape."""


def frontal_shape(points: FloatArray, pose: HeadPose) -> Float64Array:
    """(68, 2) the face as seen from its front at a pose. points: (68, 2) frame pixels.

    Each landmark is taken back through the pose at the depth that the mean head has there.
    """
    views = _one(without_perspective(points, pose))
    shape: Float64Array = frontal_shapes(views, _one(pose.rotation), _one(pose.scale_px), _one(pose.origin), pose.head)[
        0
    ]
    return shape


def expression_shape(points: FloatArray, pose: HeadPose) -> Float64Array:
    """(68, 2) the face as seen from its front, its pose found once more from the rigid landmarks: an open mouth
    would otherwise move the brows. points: (68, 2) frame pixels; pose: of the head."""
    return expression_shapes(_one(points), pose)[0]  # type: ignore[no-any-return]


def expression_shapes(points_Nk2: Float64Array, pose: HeadPose) -> Float64Array:
    """(N, 68, 2) expression_shape of N sets of landmarks of one head. points: (N, 68, 2) frame pixels."""
    views = without_perspective(points_Nk2, pose)
    return frontal_shapes(views, *rigid_poses(views, pose.head), pose.head)


def rigid_poses(views_Nk2: FloatArray, head: HeadModel) -> tuple[Float64Array, Float64Array, Float64Array]:
    """tracker.signals.head_pose.weak_perspective of (N, 68, 2) landmarks by the corners of the eyes and the nose."""
    return weak_perspective(views_Nk2[:, 17:], _expression_fit(head))


@cache
def _expression_fit(head: HeadModel) -> RigidFit:
    return rigid_fit(head.points[17:], head.weights * RIGID_SHARES)


def frontal_shapes(
    views_Nk2: FloatArray, turns_N33: Float64Array, scales_N: FloatArray, origins_N2: FloatArray, head: HeadModel
) -> Float64Array:
    """(N, 68, 2) faces as seen from their fronts, from parallel projections and their poses."""
    depth = head.points[:, 2, None]
    flat = (views_Nk2 - origins_N2[..., None, :]) / scales_N[:, None, None] - depth * turns_N33[:, None, :2, 2]
    shapes: Float64Array = flat @ _undo(turns_N33)
    return shapes


def _undo(turns_N33: Float64Array) -> Float64Array:
    """(N, 2, 2) what takes a plane through the head's origin back from a turn, for row vectors; of a turn beyond
    LEAST_DEPTH, from one to there.

    The upper left 2×2 block A of a rotation has the singular values 1 and |z|, z the cosine of the turn. The vectors
    of the latter are the rest r and q of the third column and row, so that its inverse, transposed, is A - r qᵀ / z.
    """
    z = turns_N33[:, 2, 2]
    short = (1 / LEAST_DEPTH - np.abs(z)) / np.maximum(1 - z * z, 1 - LEAST_DEPTH**2)
    factor = np.where(np.abs(z) >= LEAST_DEPTH, 1 / np.where(z == 0, 1, z), np.copysign(short, z))
    block: Float64Array = turns_N33[:, :2, :2]
    return block - factor[:, None, None] * turns_N33[:, :2, 2:] * turns_N33[:, 2:, :2]


def _one(value: FloatArray | float) -> Float64Array:
    return np.asarray([value], np.float64)


def measures_of(shape: FloatArray) -> Float64Array:
    """(M,) MEASURES of a frontal shape; (N, 68, 2) gives (N, M)."""
    found: Float64Array = shape.reshape(*shape.shape[:-2], 136) @ LINEAR.T
    return found


def openings_of(shape: FloatArray) -> Float64Array:
    """(2,) OPENINGS of a frontal shape: the face's own right eye, then its left; (N, 68, 2) gives (N, 2)."""
    apart = (shape[..., FROM, :] - shape[..., TO, :]) ** 2
    lengths = np.sqrt(apart[..., 0] + apart[..., 1]).reshape(*shape.shape[:-2], 2, 3)
    heights = (lengths[..., 0] + lengths[..., 1]) / 2
    found: Float64Array = heights / np.maximum(lengths[..., 2], 1e-6)
    return found
