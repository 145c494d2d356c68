"""A quadratic fitted to a reading and its neighbours: takes out jitter without any lag."""

# T frames, K landmarks; R = 2 + K rows: turn and shift of the head, then the landmarks

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray
from startrack.tracker.smooth.curves import LID, Curves
from startrack.tracker.smooth.face_frame import HEAD, Reading

Float64Array = NDArray[np.float64]
REACH_S = 0.105
"""Of the quadratic to each side: three frames of 30 a second. A blink is hardly longer than twice that."""
FEWEST = 2
"""Frames to each side below which nothing is fitted: three points are their own quadratic."""
LIDS_MOST = 2
"""Frames to each side for the lids: with more, a blink loses its depth."""
LIMIT = 0.01
"""Sides of the crop that a fit may move the head, and a landmark on it: a head that snaps round is no parabola."""


def quadratic_weights(times_s: Sequence[float], at: int) -> Float64Array:
    """(T,) weights with which values at these times give the fitted quadratic's value at time `at` (an index).

    The fit is weighted by 1 − (t/b)², with b one frame beyond the times, which count in whole microseconds.
    """
    return _weights(_away_us(times_s, at))


def _away_us(times_s: Sequence[float], at: int) -> tuple[int, ...]:
    origin_s = times_s[at]
    return tuple([round(1e6 * (time_s - origin_s)) for time_s in times_s])


@functools.lru_cache(maxsize=64)  # a video's frames are as far apart as the last ones
def _with_lids(away_us: tuple[int, ...], beyond: int) -> ComplexArray:
    """(2, T) weights of all times, and of the lids': those but `beyond` at each end."""
    weights = np.zeros((2, len(away_us)), np.complex128)  # as what they weigh: a product of two kinds is slower
    weights[0] = _weights(away_us)
    weights[1, beyond : len(away_us) - beyond] = _weights(away_us[beyond : len(away_us) - beyond])
    weights.flags.writeable = False
    return weights


@functools.lru_cache(maxsize=64)
def _weights(away_us: tuple[int, ...]) -> Float64Array:
    away_T = np.array(away_us, np.float64)
    furthest = float(np.abs(away_T).max())
    half = (len(away_T) - 1) / 2
    away_T = away_T / (furthest * (half + 1) / half)
    weight_T = 1 - away_T**2
    powers = np.stack([np.ones_like(away_T), away_T, away_T**2])
    weighted = powers * weight_T
    solved: Float64Array = np.linalg.solve(weighted @ powers.T, weighted)[0]
    solved.flags.writeable = False
    return solved


def neighbours(times: Sequence[float], at: int, most: int) -> int:
    """Frames to each side of `at` within reach, at most `most`; 0 where there are too few for a fit."""
    count = 0
    limit = min(most, at, len(times) - 1 - at)
    while count < limit:
        before, after = times[at] - times[at - count - 1], times[at + count + 1] - times[at]
        if max(before, after) > REACH_S:
            break
        count += 1
    return count if count >= FEWEST else 0


class LocalFit:
    """Replaces readings by the quadratics through them and their neighbours."""

    def __init__(self, curves: Curves, *, most: int, share: float = 1.0) -> None:
        """most: neighbours to each side at most. share: 0..1, how much of the change is made."""
        self._curves, self._most, self._share = curves, most, share
        self._lids = HEAD + np.flatnonzero(curves.part == LID)

    def __call__(self, readings: Sequence[Reading], at: int) -> Reading:
        """The reading `at`. The head's change is limited as a whole, and that of each curve, so that no curve is
        bent."""
        reading = readings[at]
        times = [each.time_s for each in readings]
        count = neighbours(times, at, self._most)
        if not count:
            return reading
        near = slice(at - count, at + count + 1)
        rows = np.array([each.rows for each in readings[near]])
        weights = _with_lids(_away_us(times[near], count), max(count - LIDS_MOST, 0))
        change, of_lids = weights.dot(rows) - reading.rows
        change[self._lids] = of_lids[self._lids]
        change *= self._share
        size = np.abs(change)
        head = float(size[1] + 0.5 * size[0])
        if head > LIMIT:
            change[:HEAD] *= LIMIT / head
        if size[HEAD:].max() > LIMIT:
            members, curve = self._curves.members, self._curves.curve
            largest_G = np.where(members, size[HEAD:], 0.0).max(axis=1)
            change[HEAD:] *= np.minimum(1.0, LIMIT / np.maximum(largest_G, 1e-12))[curve]
        return Reading(reading.time_s, reading.rows + change, reading.spread, reading.stretch, reading.is_repeat)
