"""A face's own frame: its landmarks as the motion of a rigid head and their remaining motion on it."""

# K landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import cmath
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray, MeanShape, as_complex, as_points, log_near, relative
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Landmarks, Similarity

Float64Array = NDArray[np.float64]
HEAD = 2
"""Rows of the head's motion before those of the landmarks."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The landmarks of one frame in the face's frame, whose unit is the side of the face's first crop."""

    time_s: float
    rows: ComplexArray
    """(2 + K,) turn of the head (logarithm of its size, and i times its angle, which counts whole turns), its shift,
    then the landmarks on it."""
    spread: Float64Array
    """(K,) mean variance of each landmark's heatmap."""
    stretch: ComplexArray
    """(K,) half the difference of the variances along a heatmap's axes, with twice the angle of the longer one."""
    is_repeat: bool = False
    """Whether the points are exactly those of the frame before: the same picture once more."""


class FaceFrame:
    """Where one face's own frame lies, from the first landmarks on."""

    def __init__(self, scheme: LandmarkScheme, landmarks: Landmarks, time_s: float, size_px: float) -> None:
        """size_px: side of the face's crop, the unit of the frame."""
        self._mean_shape = MeanShape(scheme)
        points = as_complex(landmarks.points)
        self._middle, self._size_px = complex(points.mean()), size_px
        self._first = self._similarity(landmarks, time_s)
        self._angle_rad = 0.0
        self._last: tuple[FloatArray, Reading] | None = None

    def read(self, landmarks: Landmarks, time_s: float) -> Reading:
        """The landmarks of a later frame, or of the first."""
        if self._last is not None and np.array_equal(self._last[0], landmarks.points):
            return replace(self._last[1], time_s=time_s, is_repeat=True)
        motion = relative(self._similarity(landmarks, time_s), self._first)
        a, b = motion.factor, motion.offset
        points = as_complex(landmarks.points)
        turn = log_near(a, self._angle_rad)
        self._angle_rad = turn.imag
        rows = np.empty(HEAD + len(points), np.complex128)
        rows[0], rows[1] = turn, (a * self._middle + b - self._middle) / self._size_px
        rows[HEAD:] = ((1 / a) * (points - b) - self._middle) * (1 / self._size_px)
        reading = Reading(time_s, rows, *_spread(landmarks.covariance, a * self._size_px))
        self._last = landmarks.points, reading
        return reading

    def _similarity(self, landmarks: Landmarks, time_s: float) -> Similarity:
        """That of a face that is followed came with its landmarks; recorded ones are fitted here."""
        if landmarks.similarity is not None:
            return landmarks.similarity
        return self._mean_shape.fit(landmarks.points, time_s)

    def points(self, rows: ComplexArray) -> Float64Array:
        """(K, 2) frame pixels of (2 + K,) turn, shift and landmarks: the way back of `read`."""
        turn, shift = complex(rows[0]), complex(rows[1])
        return as_points(self._middle + shift * self._size_px + (cmath.exp(turn) * self._size_px) * rows[HEAD:])


def _spread(covariance: FloatArray, unit: complex) -> tuple[Float64Array, ComplexArray]:
    """(K, 2, 2) → (K,) mean variance and (K,) stretch in the face's frame, whose unit along x is `unit` in the
    picture."""
    xx, yy, xy = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
    # a heatmap without any width would divide by nothing
    mean_K = np.maximum((0.5 / abs(unit) ** 2) * (xx + yy), 1e-12)
    return np.asarray(mean_K, np.float64), (0.5 / unit**2) * (xx - yy + 2j * xy)


def axes(stretch_K: ComplexArray) -> ComplexArray:
    """(K,) unit vectors along the longer axes; of a round heatmap along x."""
    stretch_K = stretch_K + 1e-300
    axis: ComplexArray = np.sqrt(stretch_K / np.abs(stretch_K))
    return axis


def variances(spread_K: Float64Array, stretch_K: ComplexArray, axis_K: ComplexArray) -> Float64Array:
    """(K, 2) along and across the given axes."""
    along_K = (stretch_K * (axis_K * axis_K).conj()).real
    both = np.empty((len(along_K), 2))
    both[:, 0], both[:, 1] = spread_K + along_K, spread_K - along_K
    return np.maximum(both, 1e-10)
