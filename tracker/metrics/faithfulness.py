"""How far smoothed landmarks stray from the raw ones of a real clip, where nobody knows the truth.

Every figure compares a smoother's points with the raw points of the same frames, and the frames and points that count
are chosen by the raw ones, so that all smoothers of a clip are measured on the same ones. A clip is split where its
frame numbers jump or the face does (a cut); no figure looks across a split. Lengths are in per cent of the median
distance of the outer eye corners.
"""

# T frames, K landmarks (68, iBUG's markup)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray

Float64Array = NDArray[np.float64]

JAW = slice(0, 17)
RIGID = (36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35)
"""Corners of the eyes, ridge and lower edge of the nose."""
EYES = ((36, 39, (37, 38), (41, 40)), (42, 45, (43, 44), (47, 46)))
"""Of each eye the outer and inner corner, the upper lid, and the lower lid's point below each of its points."""
LIPS = (62, 66)
SLOPE = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 10
"""Least-squares slope over five frames."""
QUADRATIC = np.array([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35
"""Value in the middle of the quadratic fitted to five frames."""
MEAN_3 = np.array([0.0, 1.0, 1.0, 1.0, 0.0]) / 3
SHUT = 0.55
"""Share of the usual opening of an eye below which it counts as shut."""
STILL_PERCENT = 1.0
"""A frame is at rest where the head moves by less than this per frame, a point where it does so on the face."""
CUT_JUMP, CUT_RATIO = 0.35, 5.0
"""A cut: the face goes further than this share of the eyes' distance, and so many times as far as in any of the four
frames before and after."""
SHORTEST = 8
"""Frames of a stretch that counts."""
FEWEST = 300
"""Second differences without which there is no jitter."""
LAG_STEP, MOST_LAG = 0.05, 4.0


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """One smoother on one clip; nan where the clip cannot show it."""

    frames: int
    stretches: int
    away_p99_percent: float
    """Distance of a point to the box that its raw point spans in this frame and its neighbours, all carried into this
    frame's pose: the part that a lag of one frame, a lag of the head, and the removal of the raw jitter do not
    explain."""
    away_max_percent: float
    fold_max_percent: float
    """Largest mean difference of that vector among the 17 points of the jaw: how much the jaw's shape is torn."""
    head_p99_percent: float
    """Distance between the middles of the rigid points."""
    lids_percent: float
    """Depth of the raw blinks that is lost, % of the open eye, mean over the blinks; nan below two."""
    blinks: int
    mouth_lag_frames: float
    """Shift of the mouth's opening behind the raw one around its fast changes."""
    eye_lag_frames: float
    jitter_steady_percent: float
    """RMS second difference of the rigid points in frames at rest."""
    jitter_all_percent: float
    """The same of all points that rest on the face."""
    raw_jitter_steady_percent: float
    raw_jitter_all_percent: float


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """Frames without a cut."""

    raw: Float64Array
    smooth: Float64Array
    unit: float
    """One per cent of the eyes' distance, pixels."""


def faithfulness(raw_TK2: FloatArray, smooth_TK2: FloatArray, frames_T: Sequence[int]) -> Faithfulness:
    """Compare a smoother's points with the raw ones; both (T, 68, 2) frame pixels, in the frames of these numbers.

    Raises ValueError for unequal shapes, another number of landmarks, values that are not finite and no frame at all.
    """
    raw, smooth = np.asarray(raw_TK2, np.float64), np.asarray(smooth_TK2, np.float64)
    if raw.shape != smooth.shape or raw.shape[1:] != (IBUG_68.num_landmarks, 2) or len(raw) != len(frames_T):
        raise ValueError(f"raw {raw.shape}, smooth {smooth.shape}, {len(frames_T)} frames: equal (T, 68, 2) expected")
    if not (len(raw) and np.isfinite(raw).all() and np.isfinite(smooth).all()):
        raise ValueError(f"{len(raw)} frames: at least one, and finite numbers expected")
    first, second = IBUG_68.inter_ocular or (0, 0)
    eye_distance = float(np.median(np.linalg.norm(raw[:, first] - raw[:, second], axis=-1)))
    ends = _splits(raw, frames_T, eye_distance)
    pieces = [slice(a, b) for a, b in pairwise(ends)]
    unit = eye_distance / 100
    stretches = [_Stretch(raw[part], smooth[part], unit) for part in pieces if part.stop - part.start >= SHORTEST]
    torn = [_excess(each) for each in stretches]
    away = _joined([np.linalg.norm(excess, axis=-1) for excess in torn])
    head = _joined([np.linalg.norm((s.smooth - s.raw)[:, RIGID].mean(axis=1), axis=-1) / unit for s in stretches])
    lids = _lost_depth(raw, stretches)
    mouth_lag, eye_lag = _lags(raw, smooth, max(pieces, key=lambda part: part.stop - part.start), eye_distance)
    jitter = [_jitter(stretches, smooth=smoothed) for smoothed in (True, False)]
    return Faithfulness(
        frames=len(raw),
        stretches=len(pieces),
        away_p99_percent=float(np.quantile(away, 0.99)),
        away_max_percent=float(away.max()),
        fold_max_percent=max((_fold(excess) for excess in torn), default=0.0),
        head_p99_percent=float(np.quantile(head, 0.99)),
        lids_percent=float(np.mean(lids)) if len(lids) >= 2 else float("nan"),
        blinks=len(lids),
        mouth_lag_frames=mouth_lag,
        eye_lag_frames=eye_lag,
        jitter_steady_percent=jitter[0][0],
        jitter_all_percent=jitter[0][1],
        raw_jitter_steady_percent=jitter[1][0],
        raw_jitter_all_percent=jitter[1][1],
    )


def eye_opening(points_TK2: FloatArray, eye: int) -> Float64Array:
    """(T,) distance of the lids over that of the corners; eye: 0 on the picture's left, 1 on its right."""
    outer, inner, upper, lower = EYES[eye]
    gaps = np.linalg.norm(points_TK2[:, upper] - points_TK2[:, lower], axis=-1).mean(axis=-1)
    opened: Float64Array = gaps / np.linalg.norm(points_TK2[:, outer] - points_TK2[:, inner], axis=-1)
    return opened


def carried(points_TK2: Float64Array, onto_TK2: Float64Array) -> Float64Array:
    """(T, K, 2) points moved by the similarity that fits the rigid ones of each frame to those of `onto`."""
    points, onto = points_TK2 @ np.array([1, 1j]), onto_TK2 @ np.array([1, 1j])
    rigid = list(RIGID)
    middle, there = points[:, rigid].mean(axis=1, keepdims=True), onto[:, rigid].mean(axis=1, keepdims=True)
    arms, wanted = points[:, rigid] - middle, onto[:, rigid] - there
    turn = (arms.conj() * wanted).sum(axis=1) / ((np.abs(arms) ** 2).sum(axis=1) + 1e-12)
    moved = turn[:, None] * (points - middle) + there
    return np.stack([moved.real, moved.imag], axis=-1)


def lag_at_changes(raw_T: FloatArray, smooth_T: FloatArray) -> float:
    """Shift of a signal behind its raw one, frames, that fits best around the raw one's fast changes.

    nan for less than 12 frames, and where nothing changes fast. Only shifts from -1 to 4 frames are tried.
    """
    raw, smooth = np.asarray(raw_T, np.float64), np.asarray(smooth_T, np.float64)
    if len(raw) < 12:
        return float("nan")
    middle, speed = _over_five(raw, QUADRATIC), np.abs(_over_five(raw, SLOPE))
    # σ of white noise from the median second difference, and that of a slope over five frames
    noise = np.median(np.abs(np.diff(raw, 2))) / 0.6745 / 6**0.5 * 0.1**0.5
    changing = speed > max(4 * noise, 0.35 * float(np.quantile(speed, 0.99)), 1e-9)
    near = np.flatnonzero(np.convolve(changing, np.ones(7), "same") > 0)
    near = near[(near >= 5) & (near < len(raw) - 2)]
    if changing.sum() < 4 or len(near) < 8:
        return float("nan")
    shifts = np.arange(-1, MOST_LAG + 0.01, LAG_STEP)
    at = np.arange(len(raw))
    costs = [float(((smooth[near] - np.interp(near - shift, at, middle)) ** 2).sum()) for shift in shifts]
    return float(shifts[int(np.argmin(costs))])


def _over_five(signal: Float64Array, weights_5: Float64Array) -> Float64Array:
    """Weighted sums over five frames along the first axis; the ends are repeated."""
    padded = np.concatenate([signal[:1], signal[:1], signal, signal[-1:], signal[-1:]])
    sums: Float64Array = sum(weights_5[j] * padded[j : j + len(signal)] for j in range(5))
    return sums


def _splits(raw: Float64Array, frames_T: Sequence[int], eye_distance: float) -> list[int]:
    """First frame of every stretch, and the end."""
    step_T = np.linalg.norm(np.diff(raw.mean(axis=1), axis=0), axis=-1) / eye_distance
    starts = [0]
    for t, step in enumerate(step_T):
        near = np.concatenate([step_T[max(0, t - 4) : t], step_T[t + 1 : t + 5]])
        jumps = step > CUT_JUMP and len(near) > 0 and step > CUT_RATIO * near.max()
        if frames_T[t + 1] - frames_T[t] > 1 or jumps:
            starts.append(t + 1)
    return [*starts, len(raw)]


def _excess(part: _Stretch) -> Float64Array:
    """(T, K, 2) from the box that each raw point spans with its neighbours to the smoothed point, %."""
    raw = part.raw
    moved = carried(part.smooth, raw)
    before = carried(np.concatenate([raw[:1], raw[:-1]]), raw)
    after = carried(np.concatenate([raw[1:], raw[-1:]]), raw)
    span = np.stack([before, raw, after])
    excess: Float64Array = (moved - np.clip(moved, span.min(axis=0), span.max(axis=0))) / part.unit
    return excess


def _fold(excess_TK2: Float64Array) -> float:
    jaw = excess_TK2[:, JAW]
    apart = jaw - np.median(jaw, axis=1, keepdims=True)
    return float(np.linalg.norm(apart, axis=-1).mean(axis=-1).max())


def _lost_depth(raw_TK2: Float64Array, stretches: Sequence[_Stretch]) -> list[float]:
    """Of every blink of every eye: least opening (mean of two frames) smoothed less raw, % of the usual opening."""
    lost = []
    for eye in range(len(EYES)):
        usual = float(np.median(eye_opening(raw_TK2, eye)))
        for part in stretches:
            raw, smooth = eye_opening(part.raw, eye), eye_opening(part.smooth, eye)
            shut = np.concatenate([[False], _over_five(raw, MEAN_3) < SHUT * usual, [False]])
            starts, ends = np.flatnonzero(shut[1:] & ~shut[:-1]), np.flatnonzero(~shut[1:] & shut[:-1])
            for start, end in zip(starts, ends, strict=True):
                around = slice(max(0, int(start) - 2), int(end) + 2)
                lost.append(100 * (_least(smooth[around]) - _least(raw[around])) / usual)
    return lost


def _least(opening_T: Float64Array) -> float:
    return float(((opening_T[:-1] + opening_T[1:]) / 2).min())


def _lags(raw: Float64Array, smooth: Float64Array, longest: slice, eye_distance: float) -> tuple[float, float]:
    """Of the mouth and of the eyes, in the longest stretch."""

    def mouth(points: Float64Array) -> Float64Array:
        gap: Float64Array = np.linalg.norm(points[:, LIPS[0]] - points[:, LIPS[1]], axis=-1) / eye_distance
        return gap

    def eyes(points: Float64Array) -> Float64Array:
        return (eye_opening(points, 0) + eye_opening(points, 1)) / 2

    signals: tuple[Callable[[Float64Array], Float64Array], ...] = (mouth, eyes)
    mouth_lag, eye_lag = (lag_at_changes(signal(raw[longest]), signal(smooth[longest])) for signal in signals)
    return mouth_lag, eye_lag


def _jitter(stretches: Sequence[_Stretch], *, smooth: bool) -> tuple[float, float]:
    """Of the rigid points and of all, in frames in which the raw head rests, and points that rest on it."""
    steady, everywhere = [], []
    for part in stretches:
        raw = part.raw
        head_T = np.linalg.norm(_over_five(raw[:, RIGID].mean(axis=1), SLOPE), axis=-1) / part.unit
        on_face = carried(raw, np.repeat(raw[:1], len(raw), axis=0))
        points_TK = np.linalg.norm(_over_five(on_face, SLOPE), axis=-1) / part.unit
        rests_T, rest_TK = (_largest_of_three(speed) < STILL_PERCENT for speed in (head_T, points_TK))
        rests_T[:4] = rests_T[-3:] = False
        points = part.smooth if smooth else raw
        second_TK = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1) / part.unit
        steady.append(second_TK[:, RIGID][rests_T].ravel())
        everywhere.append(second_TK[rests_T[:, None] & rest_TK])
    return _root_mean_square(steady), _root_mean_square(everywhere)


def _largest_of_three(values: Float64Array) -> Float64Array:
    return np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])


def _root_mean_square(parts: Sequence[Float64Array]) -> float:
    if sum(map(len, parts)) < FEWEST:
        return float("nan")
    return float(np.sqrt((np.concatenate(parts) ** 2).mean()))


def _joined(parts: Sequence[Float64Array]) -> Float64Array:
    return np.concatenate([part.ravel() for part in parts]) if parts else np.zeros(1)
