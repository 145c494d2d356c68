"""Smoothing with a few frames of look-ahead: no lag, and less jitter than any causal smoother leaves.

Each reading is first replaced by a quadratic through its neighbours, then filtered (FaceFilter), and the filter is run
back from the last frame it knows, with the covariance that the innovations have grown. Where a curve moves, its
filtered and its fitted points disagree by more than the jitter explains; there the fitted ones, which follow a blink
or a word without lag, take the place of the filtered ones.
"""

# K landmarks; R = 2 + K rows: turn and shift of the head, then the landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray, as_complex, as_points
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.curves import PerPart, curves_of
from startrack.tracker.smooth.face_filter import FaceFilter, FilterSettings, Step, mean_of_both
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
MOVES = PerPart(rest=0.38, lids=0.13, lips=0.19, steady=1.2)
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
        self._moves_K = self._curves.values(MOVES) ** 2
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
        """(R,) of the last frames that are out."""

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
        away = [step.reading.rows - rows for step, rows in zip(ahead[: AROUND + 1], smooth, strict=False)]
        differences = [_in_noise(rows, step.noise) for rows, step in zip(away, ahead, strict=False)]
        around = [*self._differences, *differences]
        moves_K = self._curves.means(sum(around[1:], around[0])[HEAD:] / len(around)) ** 2
        rows = smooth[0].copy()
        rows[HEAD:] += moves_K / (moves_K + self._moves_K) * away[0][HEAD:]
        self._differences = [*self._differences, differences[0]][-AROUND:]
        self._steps.pop(0)
        landmarks = self._pending.pop(0)
        return landmarks.smoothed(self._frame.points(rows))


def _in_noise(away_R: ComplexArray, noise_R: Float64Array) -> Float64Array:
    """(R,) squared difference of the fitted points from the smoothed ones, in units of the noise."""
    points = as_points(away_R)
    return mean_of_both(points * points) / noise_R


def run_back(steps: Sequence[Step]) -> list[ComplexArray]:
    """(R,) places of each step, smoothed with all later ones, by the adjoint of the filter: each later reading's force
    on it, carried back over the readings and times between (Bryson and Frazier, 1963), which needs no inverse."""
    places = [steps[-1].place]
    force: Float64Array | None = None
    force_v: Float64Array | float = 0.0
    for step, later in zip(steps[-2::-1], steps[::-1], strict=False):
        if later.correction is not None:
            own, gain, gain_v = later.correction
            force = own if force is None else own + (force - (gain * force + gain_v * force_v))
        if force is None:
            places.append(step.place)
            continue
        force_v = force_v + later.step_s * force
        # along the axes that the later reading's filters have
        places.append(step.place + as_complex(step.variance * force + step.covariance * force_v) * later.axis)
    return places[::-1]
