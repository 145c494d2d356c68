"""The one similarity of a face and frame: a face's mean shape, fitted to its landmarks; all motion models read it."""

# K landmarks; a point x, y is the complex number x + iy, so a similarity is z → a·z + b

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Similarity

ComplexArray = NDArray[np.complex128]


def as_complex(points_K2: FloatArray) -> ComplexArray:
    """(K, 2) points → (K,) complex numbers; as_points is the way back."""
    return np.ascontiguousarray(points_K2, np.float64).view(np.complex128)[:, 0]


def as_points(numbers_K: ComplexArray) -> NDArray[np.float64]:
    """(K,) complex numbers → (K, 2) points."""
    return np.ascontiguousarray(numbers_K).view(np.float64).reshape(-1, 2)


def fit_similarity(
    shape_K: ComplexArray, points_K: ComplexArray, weight_K: NDArray[np.float64], *, rounds: int = 2
) -> Similarity:
    """The one with points ≈ a·shape + b by weighted least squares, then Huber's reweighting against points that deform.

    A landmark counts in full up to 1.5 times the median distance of all. weight: (K,) ≥ 0, at least two above 0.
    """
    shape_from, points_from = complex(shape_K[0]), complex(points_K[0])
    spread_K, target_K = shape_K - shape_from, points_K - points_from
    turned_K = spread_K.conj()
    # all that a round needs of the landmarks are these sums under its weights: one product, where numpy's calls cost
    # most
    ones_K = np.ones(len(spread_K), np.complex128)
    terms_5K = np.array([spread_K, target_K, turned_K * target_K, turned_K * spread_K, ones_K])
    weight = weight_K
    for turn in range(rounds + 1):
        shape, points, cross, square, total = terms_5K.dot(weight).tolist()
        a = (cross - shape.conjugate() * points / total) / max((square - abs(shape) ** 2 / total).real, 1e-12)
        b = (points - a * shape) / total
        if turn < rounds:
            distance = np.abs(target_K - a * spread_K - b)
            reach = 1.5 * median(distance) + 1e-9
            weight = weight_K * (reach / np.maximum(distance, reach))
    return Similarity(a, b + points_from - a * shape_from)


def procrustes_angle(shape_K: ComplexArray, other_K: ComplexArray) -> float:
    """Radians that turn one centred shape onto another with the least sum of squares."""
    return cmath.phase(complex(np.vdot(shape_K, other_K)))


def log_near(a: complex, angle_rad: float) -> complex:
    """The logarithm of a similarity's factor whose angle is the nearest to angle_rad: not cut off at half a turn, so
    that a face is followed through any number of them."""
    turn = cmath.log(a)
    return complex(turn.real, angle_rad + math.remainder(turn.imag - angle_rad, math.tau))


def median(values_N: NDArray[np.float64]) -> float:
    """That of a few numbers, in a third of the time of numpy's."""
    ordered = values_N.copy()
    ordered.sort()
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def rigid_weights(scheme: LandmarkScheme) -> NDArray[np.float64]:
    """(K,) how far each landmark is part of the rigid head; all equal where the markup knows no steady ones."""
    weight_K = np.full(scheme.num_landmarks, 0.2 if scheme.steady else 1.0)
    weight_K[list(scheme.steady)] = 1.0
    return weight_K


def relative(similarity: Similarity, first: Similarity) -> Similarity:
    """What leads from the place of `first` to that of `similarity`: similarity ∘ first⁻¹."""
    factor = similarity.factor / first.factor
    return Similarity(factor, similarity.offset - factor * first.offset)


class MeanShape:
    """The running Procrustes mean of one face's landmarks, and the similarity that carries it onto each frame's."""

    RENEW_S = 3.0
    """Time in which the shape follows a lasting change, such as an open mouth or another view of the head."""

    def __init__(self, scheme: LandmarkScheme) -> None:
        self._weight_K = rigid_weights(scheme)
        self.shape: ComplexArray = np.empty(0, np.complex128)
        """(K,) frame pixels of the first frame; empty before it."""
        self._aligned_K = self.shape
        self._points: FloatArray | None = None
        self._similarity = Similarity()
        self._time_s = 0.0

    def fit(self, points: FloatArray, time_s: float) -> Similarity:
        """The similarity of the next frame's (K, 2) landmarks, frame pixels, which then join the mean.

        Those of the first frame are the shape. A picture that is shown again, with exactly the same landmarks, is not
        fitted again.
        """
        step_s, self._time_s = time_s - self._time_s, time_s
        if self._points is None:
            self.shape = self._aligned_K = as_complex(points).copy()
        elif not np.array_equal(self._points, points):
            points_K = as_complex(points)
            self._similarity = fit_similarity(self.shape, points_K, self._weight_K)
            self._aligned_K = (1 / self._similarity.factor) * (points_K - self._similarity.offset)
            self.shape = self.shape + min(1.0, step_s / self.RENEW_S) * (self._aligned_K - self.shape)
        self._points = points
        return self._similarity

    def renew(self) -> None:
        """Take the last frame's landmarks for the shape: the face looks another way now."""
        self.shape = self._aligned_K
