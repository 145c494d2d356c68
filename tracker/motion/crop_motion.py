"""A rigid motion of the head: the similarity that carries the face's own shape onto its landmarks, filtered."""

# K landmarks; a point x, y is the complex number x + iy, so a similarity is z → a·z + b

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.constant_velocity import ConstantVelocity
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Roi

ComplexArray = NDArray[np.complex128]


def as_complex(points_K2: FloatArray) -> ComplexArray:
    """(K, 2) points → (K,) complex numbers; as_points is the way back."""
    return np.ascontiguousarray(points_K2, np.float64).view(np.complex128)[:, 0]


def as_points(numbers_K: ComplexArray) -> NDArray[np.float64]:
    """(K,) complex numbers → (K, 2) points."""
    return np.ascontiguousarray(numbers_K).view(np.float64).reshape(-1, 2)


def fit_similarity(
    shape_K: ComplexArray, points_K: ComplexArray, weight_K: NDArray[np.float64], *, rounds: int = 2
) -> tuple[complex, complex]:
    """a, b with points ≈ a·shape + b by weighted least squares, then Huber's reweighting against points that deform.

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
    return a, b + points_from - a * shape_from


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


class MotionFilter:
    """A constant-velocity Kalman filter of a similarity that lets go as soon as it is proved wrong.

    State: two complex numbers, turn (the logarithm of size and angle) and shift, and their velocities. A head at rest
    is averaged over many frames, one that starts to move is followed at once, in turn and shift together.
    """

    def __init__(
        self,
        noise: float,
        acceleration: float,
        *,
        calm: float = 1.0,
        haste: float = 1.0,
        liveliness: float = 0.0,
        turn_noise: float = 1.0,
    ) -> None:
        """noise: standard deviation of a measured shift. acceleration: of a head at rest, per s², white (1 s).
        calm: mean squared innovation, in units of the noise, that is no surprise. haste: variance of the prediction, in
        units of the noise, for each of those units that is one. liveliness: additional acceleration of a head in
        motion, times its squared speed. turn_noise: variance of a measured turn over that of a shift."""
        self._liveliness = liveliness
        self._calm = calm
        self._haste = haste
        self._noise, self._turn_noise = noise, turn_noise
        self._acceleration = acceleration
        self._turn = _Filtered(turn_noise * noise**2)
        self._shift = _Filtered(noise**2)

    @property
    def value(self) -> tuple[complex, complex]:
        """Turn and shift."""
        return self._turn.value, self._shift.value

    def predict(self, step_s: float) -> tuple[complex, complex]:
        """Turn and shift in step_s seconds."""
        return self._turn.predict(step_s), self._shift.predict(step_s)

    def move(self, velocity: complex) -> None:
        """Set the velocity of the shift, per second, where it is known from elsewhere."""
        self._shift.velocity = velocity

    def update(self, turn: complex, shift: complex, step_s: float, *, noise: float | None = None) -> None:
        """Take up a measurement made step_s after the last one. noise: of this one's shift, where it is known."""
        variance = (self._noise if noise is None else noise) ** 2
        parts = (self._turn, turn, self._turn_noise * variance), (self._shift, shift, variance)
        acceleration = self._acceleration + self._liveliness * sum(abs(part.velocity) ** 2 for part, _, _ in parts)
        surprise = sum(abs(seen - part.predict(step_s)) ** 2 / variance for part, seen, variance in parts) / 4
        for part, seen, variance in parts:
            part.belief.predict(step_s, acceleration)
            part.belief.grow(self._haste * (surprise - self._calm) * variance)
            part.update(seen, step_s, variance)


class _Filtered:
    """One number of the similarity: at rest at 0, until it is measured."""

    def __init__(self, variance: float) -> None:
        self.value, self.velocity = 0j, 0j
        self.belief = ConstantVelocity(variance)

    def predict(self, step_s: float) -> complex:
        return self.value + step_s * self.velocity

    def update(self, seen: complex, step_s: float, variance: float) -> None:
        gain, gain_v = self.belief.gains(variance)
        expected = self.predict(step_s)
        self.value = expected + gain * (seen - expected)
        self.velocity += gain_v * (seen - expected)


class HeadMotion:
    """Where the next crop of a face is to be cut, so that the face lies still in it while the head moves.

    A network's error depends on where in its crop a landmark lies: a crop at rest, or one that lags, turns motion
    into jitter. The crop therefore rides on the head: it moves with the similarity of the landmarks, one frame ahead,
    and changes its place on the face only where that has drifted away from the place that the landmarks' box asks for.
    """

    NOISE, ACCELERATION = 1e-3, 0.02
    """Of the similarity, in sides of the crop and radians; of a head at rest, per s²."""
    AHEAD_S = 0.1
    """How far ahead a motion is believed to go on."""
    RENEW_S = 3.0
    """Time in which the face's shape follows a lasting change, such as an open mouth or another view of the head."""
    GLIDE_S = 0.3
    """Time in which the crop comes back within the tolerances of the one that is asked for."""
    SHIFT, TURN = 0.04, 0.05
    """Tolerances in sides of the crop, and in radians and logarithms of size."""
    HOLD = 1e-3
    """The same below which the crop is not moved at all: a still picture then gives the same landmarks for ever."""

    def __init__(self, scheme: LandmarkScheme, landmarks: FloatArray, wanted: Roi, time_s: float) -> None:
        """landmarks: (K, 2) frame pixels. wanted: the crop that they ask for by themselves."""
        self._weight = rigid_weights(scheme)
        self._leap = 0j
        """Velocity of the last leap that the similarity could not follow, sides of the crop per second, along its axes:
        a second leap like it is no jump but a fast motion, which goes on."""
        self._start(landmarks, wanted, time_s)

    def _start(self, landmarks: FloatArray, wanted: Roi, time_s: float) -> None:
        self._shape = as_complex(landmarks)
        self._roi = self._last = self._wanted = wanted
        self._time_s = time_s
        self._filter = MotionFilter(self.NOISE, self.ACCELERATION)
        self._turn, self._shift = 0j, 0j

    def see(self, landmarks: FloatArray, roi: Roi, wanted: Roi, time_s: float) -> None:
        """Take up the landmarks of a later frame, read from the crop at `roi`; wanted: the crop that they ask for."""
        before, self._wanted = self._wanted, wanted
        self._last = roi
        points = as_complex(landmarks)
        a, b = fit_similarity(self._shape, points, self._weight)
        centre = complex(*self._roi.centre.tolist())
        step_s = time_s - self._time_s
        turn = log_near(a, self._filter.value[0].imag)
        self._filter.update(turn, (a * centre + b - centre) / self._roi.side, step_s)
        self._time_s = time_s
        share = min(1.0, step_s / self.RENEW_S)
        self._shape = (1 - share) * self._shape + (share / a) * (points - b)
        turn, shift = roi_difference(self._free_roi(time_s), wanted)
        if abs(shift) > 4 * self.SHIFT or abs(turn) > 4 * self.TURN:
            # the similarity has lost the face
            leap = roi_difference(before, wanted)[1] / max(step_s, 1e-3)
            goes_on = abs(leap - self._leap) < 0.5 * abs(leap)
            self._start(landmarks, wanted, time_s)
            self._leap = leap
            if goes_on:
                self._filter.move(leap * cmath.exp(1j * before.angle_rad))
        else:
            self._leap = 0j
            share = min(1.0, step_s / self.GLIDE_S)
            self._turn += share * _beyond(turn, self.TURN)
            self._shift += share * _beyond(shift, self.SHIFT)

    def roi_at(self, time_s: float) -> Roi:
        """The crop in a frame at that time."""
        roi = self._free_roi(time_s)
        turn, shift = roi_difference(self._last, roi)
        return self._last if abs(turn) < self.HOLD and abs(shift) < self.HOLD else roi

    def _free_roi(self, time_s: float) -> Roi:
        turn, shift = self._filter.predict(min(time_s - self._time_s, self.AHEAD_S))
        return moved_roi(moved_roi(self._roi, turn, shift, turned=False), self._turn, self._shift)


def moved_roi(roi: Roi, turn: complex, shift: complex, *, turned: bool = True) -> Roi:
    """A crop that is larger by exp(turn.real), turned by turn.imag radians and moved by `shift` of its sides.

    turned: the shift is along the crop's own axes, otherwise along the frame's.
    """
    step = shift * roi.side * (cmath.exp(1j * roi.angle_rad) if turned else 1)
    x, y = roi.centre.tolist()
    return Roi(np.array([x + step.real, y + step.imag]), roi.side * math.exp(turn.real), roi.angle_rad + turn.imag)


def roi_difference(roi: Roi, other: Roi) -> tuple[complex, complex]:
    """turn and shift with moved_roi(roi, turn, shift) == other, the angle to a whole turn."""
    turn = complex(math.log(other.side / roi.side), math.remainder(other.angle_rad - roi.angle_rad, math.tau))
    step = complex(*other.centre.tolist()) - complex(*roi.centre.tolist())
    return turn, step / roi.side * cmath.exp(-1j * roi.angle_rad)


def _beyond(value: complex, tolerance: float) -> complex:
    """What of it lies beyond the tolerance."""
    size = abs(value)
    return value * (1 - tolerance / size) if size > tolerance else 0j
