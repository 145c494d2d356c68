"""Jitter and lag: how still the landmarks of a still face are, and how late those of a moving face.

e1 to e4 are those of FHR + STA (Tai et al., AAAI 2019) as its loss_stable.m computes them. A frame without the face
is NaN; what needs a frame and its neighbours is left out where one of them is missing, so a gap is never bridged.
"""

# T frames, K landmarks

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray


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


@dataclass(frozen=True, slots=True)
class Stability:
    """FHR + STA's four figures of one clip; nan where no frame gives one."""

    e1_delay_frames: float
    """0 none, 1 one frame late; nan for a face that does not move."""
    e2_rmse_percent: float
    """RMS distance to the truth, % of the face's size."""
    e3_jitter_percent: float
    """RMS distance from the middle of the neighbouring frames, % of the face's size."""
    e4_jitter_percent: float
    """The same from the nearest place between the neighbours: motion at uneven speed is free."""


def stability(tracked_TK2: FloatArray, truth_TK2: FloatArray) -> Stability:
    """FHR + STA's figures; both (T, K, 2) frame pixels. Raises ValueError for unequal shapes.

    e2 to e4 are means over frames of sqrt(Σ |·|² / K) / w, with w the larger side of the true landmarks' box in the
    frame. e1 is the mean over frames of <m - p, p₋ - p> / |p₋ - p|² with p₋ the truth one frame earlier.
    """
    tracked, truth = _tracked_and_truth(tracked_TK2, truth_TK2)
    size_T = np.ptp(truth, axis=1).max(axis=-1) / 100
    rmse_T = _rms(tracked - truth) / size_T
    middle, chord = (tracked[:-2] + tracked[2:]) / 2, tracked[2:] - tracked[:-2]
    away = tracked[1:-1] - middle
    # q = 0 at the frame before, 1 at the frame after; one q for all landmarks of a frame
    length_T = (chord**2).sum(axis=(1, 2))
    ahead_T = np.divide((away * chord).sum(axis=(1, 2)), length_T, out=np.zeros(len(length_T)), where=length_T > 0)
    nearest = away - ahead_T.clip(-0.5, 0.5)[:, None, None] * chord
    return Stability(
        e1_delay_frames=_mean(_delays(tracked, truth)),
        e2_rmse_percent=_mean(rmse_T),
        e3_jitter_percent=_mean(_rms(away) / size_T[1:-1]),
        e4_jitter_percent=_mean(_rms(nearest) / size_T[1:-1]),
    )


def error_jitter(tracked_TK2: FloatArray, truth_TK2: FloatArray) -> float:
    """e3 of the error m - p in place of m, % of the face's size: the motion's own acceleration does not count.

    Both (T, K, 2) frame pixels, nan in frames without the face; nan if there are no three frames in a row.
    """
    tracked, truth = _tracked_and_truth(tracked_TK2, truth_TK2)
    error, size_T = tracked - truth, np.ptp(truth, axis=1).max(axis=-1) / 100
    return _mean(_rms(error[1:-1] - (error[:-2] + error[2:]) / 2) / size_T[1:-1])


def delay_frames(tracked_TK2: FloatArray, truth_TK2: FloatArray) -> float:
    """A least-squares delay in frames: Σ <m - p, v> / Σ |v|², v = (p₋ - p₊) / 2, the way back along the motion.

    e1 with the frames weighted by their motion, for its mean of ratios is ruled by frames in which the face hardly
    moves; and with the motion taken from both neighbours, for by the one before alone peaks that are rounded to both
    sides alike count as late. A constant offset of m, as between two markups, falls out of a motion that comes back;
    nan for a face that does not move.
    """
    tracked, truth = _tracked_and_truth(tracked_TK2, truth_TK2)
    back, miss = (truth[:-2] - truth[2:]) / 2, (tracked - truth)[1:-1]
    seen_T = np.isfinite(miss).all(axis=(1, 2))
    motion = float((back[seen_T] ** 2).sum())
    return float((miss[seen_T] * back[seen_T]).sum()) / motion if motion > 0 else float("nan")


def without_offset(tracked_TK2: FloatArray, truth_TK2: FloatArray) -> NDArray[np.float64]:
    """(T, K, 2) tracked landmarks less their constant offset in the face's own frame, the median over the clip.

    Makes trackers with other markups, or with a bias, comparable in all that is not accuracy. The face's frame is the
    similarity that fits the truth of the first frame to each frame's.
    """
    tracked, truth = _tracked_and_truth(tracked_TK2, truth_TK2)
    turn_T = _complex_fit(truth)
    offset_TK = (tracked - truth) @ np.array([1, 1j]) / turn_T[:, None]
    seen_T = np.isfinite(offset_TK).all(axis=1)
    if not seen_T.any():
        return tracked.copy()
    constant_K = np.median(offset_TK.real[seen_T], axis=0) + 1j * np.median(offset_TK.imag[seen_T], axis=0)
    moved_TK = turn_T[:, None] * constant_K
    plain: NDArray[np.float64] = tracked - np.stack([moved_TK.real, moved_TK.imag], axis=-1)
    return plain


def peak_kept(tracked_T: FloatArray, truth_T: FloatArray, starts: FloatArray, length: int) -> float:
    """How much of a pulse is left: height of the mean tracked pulse over that of the mean true one, as a ratio.

    tracked_T, truth_T: (T,) a signal, e.g. how far the lids are apart; nan without the face. starts: frames in which
    equal pulses begin. length: frames from there in which the peak is sought, and before in which rest is taken.
    The mean of the pulses comes first: the peak of each would be raised by its noise. nan without a whole pulse.
    """
    tracked, truth = np.asarray(tracked_T, np.float64), np.asarray(truth_T, np.float64)
    windows = [np.arange(start - length, start + 2 * length) for start in np.asarray(starts, int)]
    inside = [window for window in windows if window[0] >= 0 and window[-1] < len(truth)]
    whole = [window for window in inside if np.isfinite(tracked[window]).all()]
    if not whole:
        return float("nan")
    mean, true = (np.mean([signal[window] for window in whole], axis=0) for signal in (tracked, truth))
    heights = [signal - signal[:length].mean() for signal in (mean, true)]
    direction = np.sign(heights[1][np.abs(heights[1]).argmax()])
    return float((direction * heights[0]).max() / (direction * heights[1]).max())


def id_switches(ids_T: FloatArray) -> int:
    """How often one true face changed its id, as in CLEAR MOT (Bernardin and Stiefelhagen, 2008).

    ids_T: (T,) id of the track that lies on the face, nan where none does; a gap between equal ids is no switch.
    """
    seen = np.asarray(ids_T, np.float64)
    seen = seen[np.isfinite(seen)]
    return int((seen[1:] != seen[:-1]).sum())


def _delays(tracked: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T - 1,) e1 of each frame; nan where the truth does not move."""
    back = truth[:-1] - truth[1:]
    motion_T = (back**2).sum(axis=(1, 2))
    along_T = ((tracked - truth)[1:] * back).sum(axis=(1, 2))
    delays_T: NDArray[np.float64] = np.full(len(motion_T), np.nan)
    np.divide(along_T, motion_T, out=delays_T, where=motion_T > 1e-12)
    return delays_T


def _complex_fit(truth: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(T,) scale and rotation of each frame's landmarks against the first frame's, as complex numbers."""
    shape_TK = truth @ np.array([1, 1j])
    shape_TK = shape_TK - shape_TK.mean(axis=1, keepdims=True)
    turn_T: NDArray[np.complex128] = (shape_TK @ shape_TK[0].conj()) / (np.abs(shape_TK[0]) ** 2).sum()
    return turn_T


def _rms(vectors_TK2: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) sqrt(Σ |v|² / K); nan in frames without the face."""
    lengths: NDArray[np.float64] = np.sqrt((vectors_TK2**2).sum(axis=-1).mean(axis=-1))
    return lengths


def _mean(values_T: NDArray[np.float64]) -> float:
    """Over the frames that give one; nan if none does."""
    known = values_T[np.isfinite(values_T)]
    return float(known.mean()) if len(known) else float("nan")


def _tracked_and_truth(
    tracked_TK2: FloatArray, truth_TK2: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tracked, truth = np.asarray(tracked_TK2, np.float64), np.asarray(truth_TK2, np.float64)
    if tracked.shape != truth.shape or truth.ndim != 3 or len(truth) < 3:
        raise ValueError(f"tracked {tracked.shape}, truth {truth.shape}: equal (T, K, 2) expected, at least 3 frames")
    return tracked, truth


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
