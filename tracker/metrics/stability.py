"""Jitter and lag: how still the landmarks of a still face are, and how late those of a moving face."""

# T frames, K landmarks

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.types import FloatArray


def second_difference_jitter(points_TK2: FloatArray, normaliser: float) -> float:
    """Jitter of a near-still face: RMS length of p[t-1] - 2 p[t] + p[t+1], in per cent of the normaliser.

    points: (T, K, 2) frame pixels of one face in consecutive frames; a frame without the face is NaN, and the
    differences that touch it are left out. normaliser: the face's inter-ocular distance, pixels.
    Steady motion costs nothing. White noise of σ pixels per coordinate gives 100·√12·σ / normaliser; on still faces
    this is twice the e3 of FHR + STA (Tai et al., AAAI 2019), which measures the distance from the neighbours' middle
    and takes the mean over the frames. Raises ValueError if there are no three frames in a row.
    """
    points = np.asarray(points_TK2, np.float64)
    if points.ndim != 3 or not normaliser > 0:
        raise ValueError(f"points {points.shape} and normaliser {normaliser}: (T, K, 2) and > 0 expected")
    second_TK2 = points[:-2] - 2 * points[1:-1] + points[2:]
    second_TK2 = second_TK2[np.isfinite(second_TK2).all(axis=(1, 2))]
    if not len(second_TK2):
        raise ValueError(f"{len(points)} frames hold no three in a row with the face; jitter needs them")
    return float(100 * np.sqrt((second_TK2**2).sum(axis=-1).mean()) / normaliser)


def lag_frames(tracked: FloatArray, truth: FloatArray, *, max_lag: int = 10) -> float:
    """Delay of a tracked signal behind the true one, in frames and fractions of a frame; negative if it is ahead.

    tracked, truth: (T, ...) the same moving signal at the same frames, e.g. (T, K, 2) points. The lag is the shift τ
    with the least squared error of tracked[t] against truth(t - τ), |τ| ≤ max_lag, the truth joined by straight
    lines; every τ is judged on the same middle frames. An offset is not taken out: under steady motion it is a lag.
    A lag at ±max_lag means "at least that". Raises ValueError for unequal shapes, a value that is not finite, fewer
    than 2 max_lag + 4 frames, or a truth that does not move.
    """
    seen, true = _signals(tracked, truth, max_lag)
    first, last = max_lag + 1, len(true) - max_lag - 1
    middle = seen[first:last]
    best_cost, best_lag = np.inf, 0.0
    for whole in range(-max_lag, max_lag):
        start, end = true[first - whole : last - whole], true[first - whole - 1 : last - whole - 1]
        step, miss = end - start, middle - start
        # least squares of miss ≈ part · step: truth(t - whole - part) on the line between two frames
        motion = float((step**2).sum())
        part = float(np.clip((miss * step).sum() / motion, 0.0, 1.0)) if motion > 0 else 0.0
        cost = float(((miss - part * step) ** 2).sum())
        if cost < best_cost:
            best_cost, best_lag = cost, whole + part
    return best_lag


def _signals(tracked: FloatArray, truth: FloatArray, max_lag: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as (T, D); raises ValueError unless a lag can be measured."""
    seen, true = np.asarray(tracked, np.float64), np.asarray(truth, np.float64)
    if seen.shape != true.shape or len(true) < 2 * max_lag + 4:
        raise ValueError(f"tracked {seen.shape}, truth {true.shape}: equal, with at least {2 * max_lag + 4} frames")
    seen, true = seen.reshape(len(seen), -1), true.reshape(len(true), -1)
    if not (np.isfinite(seen).all() and np.isfinite(true).all()):
        raise ValueError("a value of the signals is not finite")
    if not np.ptp(true, axis=0).any():
        raise ValueError("the truth does not move; a lag needs motion")
    return seen, true
