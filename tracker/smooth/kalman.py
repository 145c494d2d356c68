"""Kalman smoothing in two parts: the head's rigid motion, then each landmark in the face's own frame.

The measurement noise of a landmark has the shape of its heatmap's covariance: a point on the jaw is held less firmly
along the jaw than across it, a hidden one less than a visible one.
"""

# K landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.constant_velocity import ConstantVelocity
from startrack.tracker.motion.crop_motion import (
    ComplexArray,
    MotionFilter,
    as_complex,
    as_points,
    fit_similarity,
    median,
    rigid_weights,
)
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Landmarks

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KalmanSettings:
    """Lengths are in sides of the face's crop. Chosen on clips of known motion, see docs/smoothing.md."""

    noise_share: float = 0.02
    """Share of a calibrated covariance that trembles from frame to frame, before it is measured; the rest of the
    covariance is a constant doubt."""
    least_share: float = 0.005
    """What trembles at least, however little is measured; only a picture that is repeated exactly has less."""
    noise_gain: float = 8.0
    """Variance taken over that measured from frame to frame, which misses what is correlated in time."""
    noise_s: float = 0.5
    """Time over which it is measured."""
    head_share: float = 2.0
    """Variance of the head's place over that of its landmarks; their errors are correlated."""
    head_turn: float = 6.0
    """Variance of the logarithm of the head's size and of its angle over that of its place."""
    head_acceleration: float = 0.04
    """White acceleration of a head at rest (1 s), per s²."""
    head_liveliness: float = 10.0
    """White acceleration (1 s) of a moving head over its squared speed, per side."""
    head_calm: float = 2.0
    """Mean squared innovation of the head, in units of its noise, of which half is taken at once."""
    acceleration: float = 0.001
    """Of a landmark at rest in the face's own frame."""
    calm: float = 5.0
    """Mean squared innovation of a group, in units of its noise, of which half is taken at once."""
    haste: float = 2.0
    """Power of that ratio with which more is taken of a larger innovation, and less of a smaller one."""
    steady_calm: float = 16.0
    """The same of eye corners and nose, which hardly move on the face: what seems to move them is a turning head."""
    steady_haste: float = 1.0
    """It turns gradually, and is followed so: a threshold would save up the turn, and end it with a jerk."""
    gate_speed: float = 1.2
    """Sides per second that no part of a face exceeds in the face's own frame (1 σ; the gate is at 3 σ)."""
    gate_frames: int = 3
    """Frames in a row that a landmark outside its gate is disbelieved."""
    renew_s: float = 3.0
    """Time in which the shape that the head's motion is fitted with follows a lasting change."""
    settle_s: float = 0.2
    """Age up to which a track is forgotten fast: its first crops are cut from a detector's box."""
    longest_step_s: float = 0.5
    """A gap after which nothing from before counts."""


class Kalman:
    """A constant-velocity Kalman filter for the head, and one for every landmark on it.

    The larger the innovations against the noise, the more the predicted covariance grows, for all landmarks of a curve
    together: a still face is averaged over many frames, a lid or lip that moves is followed at once.
    """

    def __init__(self, scheme: LandmarkScheme, settings: KalmanSettings | None = None) -> None:
        self._settings = settings or KalmanSettings()
        self._rigid = rigid_weights(scheme)
        self._groups_KK = _groups(scheme)
        self._calm_K = np.full(scheme.num_landmarks, self._settings.calm)
        self._calm_K[list(scheme.steady)] = self._settings.steady_calm
        self._haste_K = np.full(scheme.num_landmarks, self._settings.haste)
        self._haste_K[list(scheme.steady)] = self._settings.steady_haste
        self._state: _State | None = None

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        """See tracker.smooth.base.Smoother; points are filtered, covariance and score pass through."""
        points = as_complex(landmarks.points)
        state = self._state
        if state is None or time_s - state.time_s > self._settings.longest_step_s:
            self._state = self._start(points, landmarks.covariance, time_s, face_size_px)
            return landmarks
        step_s, state.time_s = time_s - state.time_s, time_s
        a, b = fit_similarity(state.shape, points, self._rigid)
        on_face = (1 / a) * (points - b)
        state.shape += min(1.0, step_s / self._settings.renew_s) * (on_face - state.shape)
        spread, stretch = _spread(landmarks.covariance, a * state.size_px)
        noise = self._update(state, (on_face - state.middle) / state.size_px, spread, stretch, step_s)
        shift = (a * state.middle + b - state.middle) / state.size_px
        state.head.update(cmath.log(a), shift, step_s, noise=(self._settings.head_share * noise) ** 0.5)
        turn, shift = state.head.value
        middle = state.middle + shift * state.size_px
        smooth = as_points(middle + cmath.exp(turn) * state.size_px * state.place)
        return replace(landmarks, points=smooth)

    def _start(self, points: ComplexArray, covariance: FloatArray, time_s: float, size_px: float) -> _State:
        """All at rest where it is seen."""
        middle = complex(points.mean())
        spread, stretch = _spread(covariance, size_px)
        noise = self._settings.noise_share * _variances(spread, stretch, _axis(stretch))
        settings = self._settings
        head_noise = (settings.head_share * float(noise.mean())) ** 0.5
        head = MotionFilter(
            head_noise,
            settings.head_acceleration,
            calm=0.0,
            haste=1 / settings.head_calm,
            liveliness=settings.head_liveliness,
            turn_noise=settings.head_turn,
        )
        place = (points - middle) / size_px
        return _State(
            born_s=time_s,
            time_s=time_s,
            size_px=size_px,
            middle=middle,
            shape=points.copy(),
            head=head,
            place=place,
            earlier=(place, place),
            share=settings.noise_share,
            velocity=np.zeros_like(points),
            stretch=stretch,
            belief=ConstantVelocity(noise),
            disbelieved=np.zeros(len(points), np.intp),
        )

    def _update(
        self, state: _State, seen_K: ComplexArray, spread: Float64Array, stretch: ComplexArray, step_s: float
    ) -> float:
        """One step of every landmark's filter, along and across its heatmap's longer axis; gives the mean noise."""
        settings = self._settings
        state.stretch += 0.1 * (stretch - state.stretch)
        axis_K = _axis(state.stretch)
        share = settings.noise_gain * self._trembling_share(state, seen_K, spread, step_s)
        noise = max(share, 1e-6) * _variances(spread, stretch, axis_K)
        expected = state.place + step_s * state.velocity
        innovation = as_points((seen_K - expected) * axis_K.conj())
        squared = innovation**2
        believed = self._gate(state, (squared / (noise + (settings.gate_speed * step_s) ** 2)).sum(axis=-1))
        surprise_K = self._groups_KK @ (believed * (squared / noise).sum(axis=-1) / 2)
        state.belief.predict(step_s, settings.acceleration)
        if state.time_s - state.born_s < settings.settle_s:
            state.belief.grow(2 * state.belief.pp)
        state.belief.grow(((surprise_K / self._calm_K) ** self._haste_K)[:, None] * noise)
        gain, gain_v = state.belief.gains(noise, believed[:, None])
        state.place = expected + as_complex(gain * innovation) * axis_K
        state.velocity = state.velocity + as_complex(gain_v * innovation) * axis_K
        return float(noise.sum()) / noise.size

    def _trembling_share(self, state: _State, seen_K: ComplexArray, spread_K: Float64Array, step_s: float) -> float:
        """The share of the heatmaps' variance that trembles in this picture and at this speed of the head.

        From second differences, which motion on the face hardly touches, of the median landmark, which a blink or an
        open mouth is not; white noise of variance v gives 6 v for each axis, and a median of 2 ln 2 · 6 v for both.
        """
        settings = self._settings
        first, second = state.earlier
        squared_K = np.abs(seen_K - 2 * second + first) ** 2
        found = median(squared_K / spread_K) / (12 * math.log(2))
        memory_s, least = settings.noise_s, settings.least_share / settings.noise_gain
        if found < 1e-3 * state.share:
            memory_s /= 8  # the very same picture again: nothing trembles
        else:
            # a jump counts once, for a little; a worse picture counts again and again
            found = max(least, min(found, 8 * state.share + least))
        state.share += min(1.0, step_s / memory_s) * (found - state.share)
        state.earlier = (second, seen_K)
        return state.share

    def _gate(self, state: _State, distance_K: Float64Array) -> Float64Array:
        """(K,) 1, or 0 for a landmark that is where it cannot have gone (Mahalanobis distance above 3)."""
        outside = (distance_K > 9.0) & (state.disbelieved < self._settings.gate_frames)
        state.disbelieved = np.where(outside, state.disbelieved + 1, 0)
        return np.where(outside, 0.0, 1.0)


@dataclass(slots=True, eq=False)
class _State:
    """What is known of one face; lengths in the face's own frame, whose unit is the crop's side in the first frame."""

    born_s: float
    time_s: float
    size_px: float
    """The unit."""
    middle: complex
    """Origin of the face's frame, pixels of the first frame."""
    shape: ComplexArray
    """(K,) what the head's motion is fitted with, pixels of the first frame."""
    head: MotionFilter
    place: ComplexArray
    """(K,) filtered landmarks."""
    velocity: ComplexArray
    """(K,) per second."""
    earlier: tuple[ComplexArray, ComplexArray]
    """(K,) unfiltered landmarks two frames and one frame ago."""
    share: float
    """Of the heatmaps' variance, what trembles."""
    stretch: ComplexArray
    """(K,) mean stretch of the heatmaps, see _spread."""
    belief: ConstantVelocity[Float64Array]
    """(K, 2) filters, along and across each heatmap's longer axis, taken as independent."""
    disbelieved: NDArray[np.intp]
    """(K,) frames in a row that a landmark was outside its gate."""


def _groups(scheme: LandmarkScheme) -> Float64Array:
    """(K, K) for each landmark all landmarks' weights in the mean of its group: the steady ones, or what is left of a
    curve.

    The corners of an eye so stay at rest when its lids move. A landmark on no curve is a group of its own.
    """
    left = set(range(scheme.num_landmarks)) - set(scheme.steady)
    groups = [scheme.steady] if scheme.steady else []
    for edge in scheme.edges:
        groups.append(tuple(index for index in edge.indices if index in left))
        left -= set(edge.indices)
    groups += [(index,) for index in sorted(left)]
    groups_KK = np.zeros((scheme.num_landmarks, scheme.num_landmarks))
    for indices in groups:
        groups_KK[np.ix_(indices, indices)] = 1 / max(len(indices), 1)
    return groups_KK


def _spread(covariance: FloatArray, unit: complex) -> tuple[Float64Array, ComplexArray]:
    """(K, 2, 2) → (K,) mean variance and (K,) stretch in the face's frame, whose unit along x is `unit` in the picture.

    The stretch is half the difference of the variances of the two axes, as a complex number with twice the angle of
    the longer one.
    """
    xx, yy, xy = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
    return np.asarray((0.5 / abs(unit) ** 2) * (xx + yy), np.float64), (0.5 / unit**2) * (xx - yy + 2j * xy)


def _axis(stretch_K: ComplexArray) -> ComplexArray:
    """(K,) unit vectors along the longer axes."""
    # of a round heatmap along x
    stretch_K = stretch_K + 1e-300
    axis: ComplexArray = np.sqrt(stretch_K / np.abs(stretch_K))
    return axis


def _variances(spread_K: Float64Array, stretch_K: ComplexArray, axis_K: ComplexArray) -> Float64Array:
    """(K, 2) along and across the given axes."""
    along = (stretch_K * axis_K.conj() ** 2).real
    return np.maximum(spread_K[:, None] + along[:, None] * (1, -1), 1e-10)
