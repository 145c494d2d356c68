"""How far 300W's landmarks lie from where a mirrored picture would have them: to the right, by 0.45 % of the face.

A face and its mirror image are equally likely, so landmarks without a bias would be the mirrored ones on the mirrored
picture. 300W's are not: against a network that was trained on pictures and mirrored pictures they lie to the
right of the picture, on the training faces of every folder, at every yaw, and in proportion to the face
(benchmarks/fits/fit_annotation_bias.py). A network that sees faces and mirrored faces with such landmarks learns the
middle of the two, 5 % worse by 300W's own measure; so mirrored faces have to keep the bias of the others.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray

IBUG_300W_BIAS: Final = 1e-4 * np.array(
    [
        [23, 11], [16, 14], [19, 25], [20, 21], [22, 15], [33, 8], [52, 17], [69, 14], [86, 0],  # jaw
        [69, -14], [52, -17], [33, -8], [22, -15], [20, -21], [19, -25], [16, -14], [23, -11],
        [18, -1], [40, -7], [53, 4], [62, 12], [40, 17], [40, -17], [62, -12], [53, -4], [40, 7], [18, 1],  # brows
        [65, 0], [66, 0], [65, 0], [76, 0], [40, -6], [55, 0], [52, 0], [55, 0], [40, 6],  # nose
        [26, 0], [40, -6], [47, 9], [27, 5], [57, -1], [50, 6],  # eyes
        [27, -5], [47, -9], [40, 6], [26, 0], [50, -6], [57, 1],
        [40, 1], [63, -11], [60, 0], [28, 0], [60, 0], [63, 11],  # mouth, outside
        [40, -1], [58, -4], [67, -4], [41, 0], [67, 4], [58, 4],
        [42, -2], [60, 0], [32, 0], [60, 0], [42, 2], [60, -3], [33, 0], [60, 3],  # inside
    ]
)  # fmt: skip
"""(68, 2) parts of the face's side, to the right and down along its own axes."""


def antisymmetric(offsets_K2: FloatArray, scheme: LandmarkScheme) -> FloatArray:
    """(K, 2) the part of such offsets that mirroring a face turns around; the rest it leaves as it is."""
    mirrored = np.asarray(offsets_K2)[scheme.flip_order] * [-1.0, 1.0]
    return (offsets_K2 - mirrored) / 2  # type: ignore[no-any-return]


def with_bias(landmarks_K2: FloatArray, scheme: LandmarkScheme, bias_K2: FloatArray, times: float = 1.0) -> FloatArray:
    """The landmarks of a face in a picture with so many times the bias added; -1 takes it away, and -2 gives those
    whose mirror image has the bias again. bias: (K, 2) as IBUG_300W_BIAS."""
    face = roi_from_landmarks(landmarks_K2, scheme, 1.0)
    cos, sin = math.cos(face.angle_rad), math.sin(face.angle_rad)
    axes = np.array([[cos, sin], [-sin, cos]])
    return landmarks_K2 + times * face.side * (bias_K2 @ axes)  # type: ignore[no-any-return]
