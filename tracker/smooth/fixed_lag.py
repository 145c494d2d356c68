"""Smoothing with a few frames of look-ahead: no lag, and less jitter than any causal smoother leaves.

Each reading is first replaced by a quadratic through its neighbours, then filtered (FaceFilter), and the filter is run
back from the last frame it knows (Rauch, Tung and Striebel, 1965), with the covariance that the innovations have
grown. Where a curve moves, its filtered and its fitted points disagree by more than the jitter explains; there the
fitted ones, which follow a blink or a word without lag, take the place of the filtered ones.
"""

# K landmarks; R = 2 + K rows: turn and shift of the head, then the landmarks

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray, as_complex, as_points
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.curves import PerPart, curves_of
from startrack.tracker.smooth.face_filter import FaceFilter, FilterSettings, Step
from startrack.tracker.smooth.face_frame import HEAD, FaceFrame, Reading
from startrack.tracker.smooth.kalman import LONGEST_STEP_S
from startrack.tracker.smooth.local_fit import FEWEST, LocalFit
from startrack.tracker.types import Landmarks

Float64Array = NDArray[np.float64]

LOOK_AHEAD = FilterSettings(
    strength=1.0,
    noise_gain=24.0,
    head_gain=16.0,
    memory_s=1.0,
    turn_speed=0.2,
    head_speed=0.5,
    head_turn_speed=0.3,
    half=PerPart(rest=3.0, lids=1.5, lips=3.0, steady=12.0),
    half_head=2.0,
    rigid_speed=PerPart(rest=1e9, lids=1e9, lips=1e9, steady=1e9),
    whole=PerPart(rest=1.0, lids=1.0, lips=1.0, steady=1.0),
)
MOVES = PerPart(rest=0.33, lids=0.16, lips=0.18, steady=1.2)
"""Mean squared difference of a curve's filtered and fitted points, in units of the noise, at which each count half."""
MOST_FITTED = 6
"""Frames to each side of a fit; of 60 a second, those of its reach."""
AROUND = 2
"""Frames before and after over which that difference is averaged."""


class FixedLag:
    """Smooths one face some frames late: frames come out in order, each once, with the points smoothed."""

    def __init__(self, scheme: LandmarkScheme, frames: int, settings: FilterSettings = LOOK_AHEAD) -> None:
        """frames: of look-ahead, at least 1."""
        if frames < 1:
            raise ValueError(f"{frames} frames of look-ahead; expected at least 1")
        self._scheme, self._settings = scheme, settings
        self._curves = curves_of(scheme)
        self._moves_K = self._curves.values(MOVES)
        fit = min((frames + 1) // 2, MOST_FITTED)
        self._fit = fit if fit >= FEWEST else 0
        self._fitted = LocalFit(self._curves, most=self._fit, share=min(1.0, settings.strength))
        self._back = frames - self._fit
        self._start()

    def _start(self) -> None:
        self._frame: FaceFrame | None = None
        self._filter: FaceFilter | None = None
        self._pending: list[Landmarks] = []
        self._readings: list[Reading] = []
        """The last ones that are filtered, for the fits of the next, and those that wait."""
        self._filtered = 0
        """How many of the readings are filtered."""
        self._steps: list[Step] = []
        """Of frames that are filtered, but not out."""
        self._differences: list[Float64Array] = []
        """(K,) of the last frames that are out."""

    def push(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> list[Landmarks]:
        """Take up the next frame; gives the finished frames, oldest first.

        After a gap in time nothing from before it counts: all before comes out.
        """
        done: list[Landmarks] = []
        if self._readings and time_s - self._readings[-1].time_s > LONGEST_STEP_S:
            done = self.flush()
        if self._frame is None:
            self._frame = FaceFrame(self._scheme, landmarks, time_s, face_size_px)
        self._readings.append(self._frame.read(landmarks, time_s))
        self._pending.append(landmarks)
        if len(self._readings) > self._filtered + self._fit:
            self._filter_next()
            if len(self._steps) > self._back:
                done.append(self._finish())
        return done

    def flush(self) -> list[Landmarks]:
        """All that waits, oldest first; the next push begins a new stretch."""
        while self._filtered < len(self._readings):
            self._filter_next()
        done = [self._finish() for _ in range(len(self._steps))]
        self._start()
        return done

    def _filter_next(self) -> None:
        reading = self._readings[self._filtered]
        if reading.is_repeat and self._steps:
            reading = replace(self._steps[-1].reading, time_s=reading.time_s, is_repeat=True)
        else:
            reading = self._fitted(self._readings, self._filtered)
        if self._filter is None:
            self._filter = FaceFilter(self._scheme, self._settings, reading)
            self._steps.append(self._filter.first(reading))
        else:
            self._steps.append(self._filter.step(reading))
        self._filtered += 1
        if self._filtered > self._fit:
            self._readings.pop(0)
            self._filtered -= 1

    def _finish(self) -> Landmarks:
        """The oldest frame that waits, smoothed with all that is filtered."""
        assert self._frame is not None
        ahead = self._steps[: self._back + 1]
        smooth = run_back(ahead)
        differences = [_difference(step, rows) for step, rows in zip(ahead[: AROUND + 1], smooth, strict=False)]
        around = [*self._differences, *differences]
        ratio_K = (self._curves.means(sum(around[1:], around[0]) / len(around)) / self._moves_K) ** 2
        rows, short = smooth[0].copy(), ahead[0].reading.rows
        rows[HEAD:] += ratio_K / (1 + ratio_K) * (short[HEAD:] - rows[HEAD:])
        self._differences = [*self._differences, differences[0]][-AROUND:]
        self._steps.pop(0)
        landmarks = self._pending.pop(0)
        return replace(landmarks, points=self._frame.points(rows), raw_points=landmarks.points)


def _difference(step: Step, rows: ComplexArray) -> Float64Array:
    """(K,) squared difference of the fitted points and these, in units of the noise."""
    away = step.reading.rows[HEAD:] - rows[HEAD:]
    result: Float64Array = (away.real * away.real + away.imag * away.imag) / (
        step.noise[HEAD:, 0] + step.noise[HEAD:, 1]
    )
    return result


def run_back(steps: list[Step]) -> list[ComplexArray]:
    """(R,) places of each step, smoothed with all later ones: x + C (x⁺ − x⁺pred), C = P Fᵀ P⁺pred⁻¹."""
    place, velocity = steps[-1].place, steps[-1].velocity
    places = [place]
    for before in range(len(steps) - 2, -1, -1):
        step, later = steps[before], steps[before + 1]
        if not later.step_s:  # the same picture: both share what one learns
            place, velocity = (
                step.place + (place - later.expected),
                step.velocity + (velocity - later.expected_velocity),
            )
            places.append(place)
            continue
        pp, pv, vv = step.filtered
        ahead_pp, ahead_pv, ahead_vv = later.predicted
        back = later.axis.conj()
        off = as_points((place - later.expected) * back)
        off_v = as_points((velocity - later.expected_velocity) * back)
        over = 1 / np.maximum(ahead_pp * ahead_vv - ahead_pv * ahead_pv, 1e-300)
        by_place, by_velocity = (ahead_vv * off - ahead_pv * off_v) * over, (ahead_pp * off_v - ahead_pv * off) * over
        place = step.place + as_complex((pp + later.step_s * pv) * by_place + pv * by_velocity) * later.axis
        places.append(place)
        if before:
            moved = as_complex((pv + later.step_s * vv) * by_place + vv * by_velocity)
            velocity = step.velocity + moved * later.axis
    return places[::-1]
