"""A quadratic fitted to a reading and its neighbours: takes out jitter without any lag."""

# T frames, K landmarks; R = 2 + K rows: turn and shift of the head, then the landmarks

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

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
    return _weights(tuple(round(1e6 * (time_s - times_s[at])) for time_s in times_s))


@functools.lru_cache(maxsize=64)  # a video's frames are as far apart as the last ones
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


def fitted(readings: Sequence[Reading], at: int, curves: Curves, *, most: int, share: float = 1.0) -> Reading:
    """The reading `at` with the values of the quadratic through it and its neighbours.

    most: neighbours to each side at most. share: 0..1, how much of the change is made. The head's change is limited as
    a whole, and that of each curve, so that no curve is bent.
    """
    reading = readings[at]
    count = neighbours([each.time_s for each in readings], at, most)
    if not count:
        return reading
    near = readings[at - count : at + count + 1]
    times, rows = [each.time_s for each in near], np.array([each.rows for each in near])
    change: ComplexArray = quadratic_weights(times, count) @ rows - reading.rows
    if count > LIDS_MOST:
        lids, inner = HEAD + np.flatnonzero(curves.part == LID), slice(count - LIDS_MOST, count + LIDS_MOST + 1)
        change[lids] = quadratic_weights(times[inner], LIDS_MOST) @ rows[inner][:, lids] - reading.rows[lids]
    change *= share
    size = np.abs(change)
    head = float(size[1] + 0.5 * size[0])
    change[:HEAD] *= min(1.0, LIMIT / max(head, 1e-12))
    largest_G = np.where(curves.members, size[HEAD:], 0.0).max(axis=1)
    change[HEAD:] *= np.minimum(1.0, LIMIT / np.maximum(largest_G, 1e-12))[curves.curve]
    return replace(reading, rows=reading.rows + change)
