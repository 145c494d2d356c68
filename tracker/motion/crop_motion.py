"""Where the next crop of a face is cut: the similarity of its head's motion, filtered and predicted."""

# a point x, y is the complex number x + iy, so a similarity is z → a·z + b

from __future__ import annotations

import cmath
import math

import numpy as np

from startrack.tracker.motion.constant_velocity import ConstantVelocity
from startrack.tracker.motion.similarity import log_near, relative
from startrack.tracker.types import Roi, Similarity


class MotionFilter:
    """A constant-velocity Kalman filter of a similarity that lets go as soon as it is proved wrong.

    State: two complex numbers, turn (the logarithm of size and angle) and shift, and their velocities. A head at rest
    is averaged over many frames, one that starts to move is followed at once, in turn and shift together.
    """

    def __init__(self, noise: float, acceleration: float) -> None:
        """noise: standard deviation of a measurement. acceleration: of a head at rest, per s², white (1 s)."""
        self._variance = noise**2
        self._acceleration = acceleration
        self._turn, self._shift = _Filtered(self._variance), _Filtered(self._variance)

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

    def update(self, turn: complex, shift: complex, step_s: float) -> None:
        """Take up a measurement made step_s after the last one."""
        parts = (self._turn, turn), (self._shift, shift)
        innovation = sum(abs(seen - part.predict(step_s)) ** 2 for part, seen in parts) / 4
        for part, seen in parts:
            part.variances.predict(step_s, self._acceleration)
            # a mean squared innovation up to the variance of the measurements is their noise
            part.variances.grow(innovation - self._variance)
            part.update(seen, step_s, self._variance)


class _Filtered:
    """One number of the similarity: at rest at 0, until it is measured."""

    def __init__(self, variance: float) -> None:
        self.value, self.velocity = 0j, 0j
        self.variances = ConstantVelocity(variance)

    def predict(self, step_s: float) -> complex:
        return self.value + step_s * self.velocity

    def update(self, seen: complex, step_s: float, variance: float) -> None:
        _, gain, gain_v = self.variances.gains(variance)
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
    """How far ahead a motion is predicted at most."""
    GLIDE_S = 0.3
    """Time in which the crop comes back within the tolerances of the one that is asked for."""
    SHIFT, TURN = 0.04, 0.05
    """Tolerances in sides of the crop, and in radians and logarithms of size."""
    HOLD = 1e-3
    """The same below which the crop is not moved at all: a still picture then gives the same landmarks for ever."""

    def __init__(self, requested: Roi, time_s: float, similarity: Similarity) -> None:
        """wanted: the crop that the first landmarks ask for by themselves. similarity: that of these landmarks."""
        self._leap = 0j
        """Velocity of the last leap that the similarity could not follow, sides of the crop per second, along its axes:
        a second leap like it is no jump but a fast motion, which goes on."""
        self._start(requested, time_s, similarity)

    def _start(self, requested: Roi, time_s: float, similarity: Similarity) -> None:
        self._first = similarity
        self._roi = self._last = self._requested = requested
        self._time_s = time_s
        self._filter = MotionFilter(self.NOISE, self.ACCELERATION)
        self._turn, self._shift = 0j, 0j

    def see(self, similarity: Similarity, roi: Roi, requested: Roi, time_s: float) -> bool:
        """Take up a later frame: the similarity of landmarks read from the crop at `roi`; wanted: the crop that they
        ask for. False if the similarity had lost the face, as when the head has turned far: its shape is to be renewed.
        """
        before, self._requested = self._requested, requested
        self._last = roi
        motion = relative(similarity, self._first)
        centre = complex(*self._roi.centre.tolist())
        step_s = time_s - self._time_s
        turn = log_near(motion.factor, self._filter.value[0].imag)
        self._filter.update(turn, (motion.factor * centre + motion.offset - centre) / self._roi.side, step_s)
        self._time_s = time_s
        turn, shift = roi_difference(self._free_roi(time_s), requested)
        if abs(shift) > 4 * self.SHIFT or abs(turn) > 4 * self.TURN:
            leap = roi_difference(before, requested)[1] / max(step_s, 1e-3)
            goes_on = abs(leap - self._leap) < 0.5 * abs(leap)
            self._start(requested, time_s, similarity)
            self._leap = leap
            if goes_on:
                self._filter.move(leap * cmath.exp(1j * before.angle_rad))
            return False
        self._leap = 0j
        share = min(1.0, step_s / self.GLIDE_S)
        self._turn += share * _beyond(turn, self.TURN)
        self._shift += share * _beyond(shift, self.SHIFT)
        return True

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
