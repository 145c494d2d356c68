"""Where a face is going, and what it looks like: what tells it from another face that is found in its place."""

# K landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.crop_motion import ComplexArray, as_complex
from startrack.tracker.types import FloatArray

VELOCITY_S = 0.12
"""Over how long the velocity is averaged."""
COAST_S = 0.6
"""How long an unseen face goes on with its velocity: exponentially less and less."""
SHAPE_S = 0.5
"""Over how long the shape is averaged."""
SHAPE_WEIGHT = 3.0
"""Two persons' upright shapes are some 5 % of the face's size apart, one person's from frame to frame under 2 %."""


class FaceMotion:
    """One face's middle, size, velocity and shape, from the frames in which it was seen."""

    def __init__(self) -> None:
        self._time_s = -math.inf
        self._middle, self._velocity = 0j, 0j
        self._size = 1.0
        self._shape: ComplexArray | None = None

    def see(self, points: FloatArray, time_s: float) -> None:
        """points: (K, 2) landmarks in frame pixels. time_s: strictly increasing."""
        middle, size, shape = _normalised(points)
        if self._shape is None:
            self._shape = shape
        else:
            step_s = time_s - self._time_s
            self._velocity += (1 - math.exp(-step_s / VELOCITY_S)) * ((middle - self._middle) / step_s - self._velocity)
            share = 1 - math.exp(-step_s / SHAPE_S)
            self._shape = (1 - share) * self._shape + share * shape
        self._middle, self._size, self._time_s = middle, size, time_s

    def predict(self, time_s: float) -> tuple[complex, float]:
        """Middle of the landmarks in frame pixels, x + iy, and their size: RMS distance from it."""
        coasted_s = COAST_S * (1 - math.exp(-(time_s - self._time_s) / COAST_S))
        return self._middle + coasted_s * self._velocity, self._size

    def surprise(self, points: FloatArray, time_s: float) -> float:
        """How unlike this face (K, 2) landmarks are, about 0 for the face itself: distance from where it should be, in
        its sizes, plus change of size and of shape. The face must have been seen before."""
        assert self._shape is not None
        middle, size, shape = _normalised(points)
        expected, before = self.predict(time_s)
        away = abs(middle - expected) / before
        apart = _rms(shape - self._shape)
        return away + abs(math.log(size / before)) + SHAPE_WEIGHT * apart


def _normalised(points_K2: FloatArray) -> tuple[complex, float, ComplexArray]:
    """Middle and size in frame pixels, and the shape (K,) in units of the size; roll is part of the shape."""
    points_K = as_complex(points_K2)
    middle = complex(points_K.sum()) / len(points_K)
    centred_K = points_K - middle
    size = max(_rms(centred_K), 1e-6)
    return middle, size, centred_K / size


def _rms(distances_K: ComplexArray) -> float:
    return math.sqrt(np.vdot(distances_K, distances_K).real / len(distances_K))


def same_face(first: FloatArray, second: FloatArray, *, within: float) -> NDArray[np.bool_]:
    """(...) whether two sets of landmarks (..., K, 2) lie on one face: mean distance up to `within` of the larger side
    of the first one's bounding box. Unlike overlapping boxes, two heads close together stay two."""
    side = (first.max(axis=-2) - first.min(axis=-2)).max(axis=-1)
    away = first - second
    mean_distance = np.hypot(away[..., 0], away[..., 1]).mean(axis=-1)
    return np.asarray(mean_distance <= within * side)
