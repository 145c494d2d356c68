"""The Kalman filters of one face: two for its head's motion, one for each landmark on it."""

# K landmarks; R = 2 + K rows: turn and shift of the head, then the landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.constant_velocity import ConstantVelocity
from startrack.tracker.motion.similarity import ComplexArray, as_complex, as_points, rigid_weights
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.curves import PerPart, curves_of
from startrack.tracker.smooth.face_frame import HEAD, Reading, axes, variances
from startrack.tracker.smooth.jitter_level import HeadSpeed, JitterLevel

Float64Array = NDArray[np.float64]
FIRST_SHARE = 0.02
"""Share of a calibrated covariance that jitters from frame to frame, before it is measured; the rest is constant."""
LEAST_SHARE = 0.005 / 8
"""What jitters at least, however little is measured."""
HEAD_SHARE, TURN_SHARE = 2.0, 6.0
"""Variance of the head's shift over that of its landmarks, whose errors are correlated; of its turn over its shift."""
ACCELERATION, HEAD_ACCELERATION = 0.001, 0.04
"""White acceleration (1 s) of a landmark on the face, and of a head at rest, per s²."""
SPEED_ACCELERATION = 10.0
"""White acceleration (1 s) of a moving head over its squared speed, per side."""
SETTLE_S = 0.2
"""Age up to which a track is forgotten fast: its first crops are cut from a detector's box."""
RETURN_S, REST_S = 0.25, 0.1
"""Time constants with which the points of a picture that is shown on and on go to their reading, and come to rest."""
MOST_RIGID = 2.0
"""Speed of the head, in units of rigid_speed, above which the noise does not grow further."""
HALVES = np.array([0.5, 0.5])


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Lengths are in sides of the face's crop. Chosen on real and made clips, see docs/smoothing.md."""

    strength: float
    """Factor of all noise; 1 as chosen, 0 none."""
    noise_gain: float
    """Variance taken over that measured from frame to frame, which misses noise correlated in time."""
    head_gain: float
    """The same of the head."""
    memory_s: float
    """Of the running median of the jitter."""
    turn_speed: float
    """Speed of turning at which the noise of the landmarks is halved: then an apparent motion is a real one."""
    head_speed: float
    """Speed of motion at which the noise of the head is halved."""
    head_turn_speed: float
    """Speed of turning at which it is."""
    half: PerPart
    """Mean squared innovation of a curve, in units of its noise, of which half is taken at once."""
    half_head: float
    rigid_speed: PerPart
    """Speed of a head that does not turn at which the noise of the landmarks is doubled: networks err more then."""
    whole: PerPart
    """Weight of a curve's motion as a whole in its innovation: lids and lips move against each other, a network's error
    moves all of them."""


class Correction(NamedTuple):
    """What a reading did to the prediction; all (R, 2)."""

    force: Float64Array
    """The innovation over its variance."""
    gain: Float64Array
    """What of the innovation was added to the place."""
    gain_v: Float64Array
    """And to the velocity."""


class Step(NamedTuple):
    """One frame of the filters."""

    step_s: float
    """Since the step before; 0 where the picture is the same."""
    reading: Reading
    axis: ComplexArray
    """Unit vectors of the first of the two filters of each row."""
    noise: Float64Array
    """(R,) of the reading, mean of the two filters."""
    correction: Correction | None
    """None where the reading says nothing new."""
    place: ComplexArray
    """(R,) filtered."""
    variance: Float64Array
    """(R, 2) of that place."""
    covariance: Float64Array
    """(R, 2) of that place with its velocity."""


class FaceFilter:
    """Constant-velocity Kalman filters whose predicted covariance grows with the innovations of a whole curve: a still
    face is averaged over many frames, a lid or lip that moves is followed at once."""

    def __init__(self, scheme: LandmarkScheme, settings: FilterSettings, first: Reading) -> None:
        """All at rest where it is seen."""
        curves = curves_of(scheme)
        self._settings = settings
        self._curves = curves
        self._half_K = curves.values(settings.half)
        self._rigid_K = 1 / curves.values(settings.rigid_speed)
        self._common_K = 0.5 * (1 - curves.values(settings.whole))
        self._born_s = self._time_s = first.time_s
        self._stretch_K = first.stretch
        self._place, self._velocity = first.rows, np.zeros_like(first.rows)
        self._axis = np.ones_like(first.rows)
        self._jitter = JitterLevel(first, share=FIRST_SHARE, least=LEAST_SHARE, memory_s=settings.memory_s)
        self._speed = HeadSpeed(first, rigid_weights(scheme))
        self._acceleration = np.full((len(first.rows), 2), ACCELERATION)
        self._axis[HEAD:] = axes(first.stretch)
        noise = variances(first.spread, first.stretch, self._axis[HEAD:])
        noise = self._noise(FIRST_SHARE, noise, np.ones(len(noise)), 1.0)
        self._mean_noise = mean_of_both(noise)
        self._variances = ConstantVelocity(noise)

    def first(self, reading: Reading) -> Step:
        """The step of the reading that the filters begin with."""
        return self._uncorrected(reading)

    def step(self, reading: Reading) -> Step:
        """Take up the reading of a later frame."""
        step_s, self._time_s = reading.time_s - self._time_s, reading.time_s
        if reading.is_repeat:
            return self._hold(reading, step_s)
        noise = self._measure(reading, step_s)
        expected, expected_velocity = self._place + step_s * self._velocity, self._velocity
        missed = reading.rows - expected
        innovation = as_points(missed * self._axis.conj())
        self._mean_noise = of_both = mean_of_both(noise)
        needed = self._growth(missed, mean_of_both(innovation * innovation / noise), of_both)
        speed = float((np.abs(self._velocity[:HEAD]) ** 2).sum())
        self._acceleration[:HEAD] = HEAD_ACCELERATION + SPEED_ACCELERATION * speed
        variances = self._variances
        variances.predict(step_s, self._acceleration)
        if reading.time_s - self._born_s < SETTLE_S:
            variances.grow(2 * variances.pp)
        # by less along a heatmap's longer axis, in units of its noise: there a landmark is held more firmly
        variances.grow(np.sqrt(noise * (needed * needed * of_both)[:, None]))
        weight, gain, gain_v = variances.gains(noise)
        self._place = expected + as_complex(gain * innovation) * self._axis
        self._velocity = expected_velocity + as_complex(gain_v * innovation) * self._axis
        correction = Correction(weight * innovation, gain, gain_v)
        return Step(step_s, reading, self._axis, of_both, correction, self._place, variances.pp, variances.pv)

    def _hold(self, reading: Reading, step_s: float) -> Step:
        """The same picture once more: it shows nothing new, and its points stay, but for a slow way back to the reading
        where the picture is shown for long."""
        self._place = self._place + (1 - math.exp(-step_s / RETURN_S)) * (reading.rows - self._place)
        self._velocity = math.exp(-step_s / REST_S) * self._velocity
        return self._uncorrected(reading)

    def _uncorrected(self, reading: Reading) -> Step:
        known = self._variances
        return Step(0.0, reading, self._axis, self._mean_noise, None, self._place, known.pp, known.pv)

    def _measure(self, reading: Reading, step_s: float) -> Float64Array:
        """(R, 2) variances of this reading, along and across the heatmaps' longer axes, which move slowly."""
        settings = self._settings
        share = self._jitter(reading, step_s)
        speed, turning = self._speed(reading, step_s)
        self._stretch_K = self._stretch_K + 0.1 * (reading.stretch - self._stretch_K)
        self._axis = self._axis.copy()
        self._axis[HEAD:] = axes(self._stretch_K)
        spread = variances(reading.spread, reading.stretch, self._axis[HEAD:])
        rigid_K = np.minimum(speed * self._rigid_K, MOST_RIGID)
        turned = 1 + (turning / settings.turn_speed) ** 2
        head = 1 / (1 + (speed / settings.head_speed) ** 2 + (turning / settings.head_turn_speed) ** 2)
        return self._noise(share, spread, (1 + rigid_K * rigid_K) / turned, head)

    def _noise(self, share: float, spread: Float64Array, scale_K: Float64Array, head: float) -> Float64Array:
        """(R, 2) from (K, 2) variances of the heatmaps."""
        settings = self._settings
        noise = np.empty((HEAD + len(spread), 2))
        mean = float(spread.sum()) / spread.size
        noise[1] = settings.strength * settings.head_gain * share * HEAD_SHARE * mean * head
        noise[0] = TURN_SHARE * noise[1]
        noise[HEAD:] = (settings.strength * settings.noise_gain * share * scale_K)[:, None] * spread
        return np.maximum(noise, 1e-18)

    def _growth(self, missed: ComplexArray, energy: Float64Array, noise: Float64Array) -> Float64Array:
        """(R,) variance that the prediction must have at least, in units of the noise: in proportion to the mean
        squared innovation of the head and of each curve, without a threshold, behind which a turn would be saved up
        and end with a jerk. energy: (R,) squared innovation over its noise, and noise: (R,), means of both filters."""
        common_K = np.abs(self._curves.means(missed[HEAD:] / np.sqrt(noise[HEAD:])))
        beyond_K = self._curves.means(energy[HEAD:]) - self._common_K * common_K * common_K
        needed = np.empty(len(energy))
        needed[:HEAD] = (energy[0] + energy[1]) / 2 / self._settings.half_head
        needed[HEAD:] = np.maximum(beyond_K, 0) / self._half_K
        return needed


def mean_of_both(values_R2: Float64Array) -> Float64Array:
    """(R,) means of the two filters of each row, in a quarter of the time of numpy's."""
    means: Float64Array = values_R2.dot(HALVES)
    return means
