"""Errors of one annotated video → figures; figures of several videos → those of a category, with their intervals."""

# T frames, V videos, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.metrics.stability import Stability, stability
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.metrics.nme import NORMALISERS, Float64Array, NormaliserName, area_under_ced, failure_rate

POINT_SETS: dict[int, tuple[int, ...]] = {
    68: tuple(range(68)),
    49: tuple(index for index in range(17, 68) if index not in (60, 64)),
}
"""How many landmarks → which; 49 leave out the jaw and the inner corners of the mouth, as SBR and the challenge do."""
UNITS: tuple[NormaliserName, ...] = ("inter_ocular", "diagonal", "box")
MEASURES = tuple((count, unit) for count in POINT_SETS for unit in UNITS)
AREA_THRESHOLDS = (0.07, 0.08)
FAILURE_THRESHOLDS = (0.08, 0.10)
MISSING = 1e6
"""NME of a frame without the face: beyond every threshold, finite as the CED wants it."""
MIN_FRAMES = 3
"""Of the stability of a video."""


def frame_errors(points_TK2: FloatArray, truth_TK2: FloatArray) -> dict[tuple[int, NormaliserName], Float64Array]:
    """Each of MEASURES → (T,) NME of every frame as a ratio, NaN where the face is missing.

    points: (T, 68, 2) frame pixels; a frame with a value that is not finite is one without the face. The normaliser
    always comes from all 68 true landmarks: the outer corners of the eyes, the diagonal of their bounding box or the
    root of its area. Raises ValueError for unequal shapes and for a truth whose normaliser is not positive.
    """
    points, truth = np.asarray(points_TK2, np.float64), np.asarray(truth_TK2, np.float64)
    if points.shape != truth.shape or truth.ndim != 3 or truth.shape[1:] != (IBUG_68.num_landmarks, 2):
        raise ValueError(f"points {points.shape}, truth {truth.shape}: equal (T, 68, 2) expected")
    seen_T = np.all(np.isfinite(points), axis=(1, 2))
    distance_TK = np.where(seen_T[:, None], np.linalg.norm(points - truth, axis=-1), np.nan)
    errors: dict[tuple[int, NormaliserName], Float64Array] = {}
    for unit in UNITS:
        size_T = NORMALISERS[unit](truth, IBUG_68)
        if not (size_T > 0).all():
            raise ValueError(f"frame {int(np.argmin(size_T > 0))} of the truth: its {unit} is not positive")
        for count, chosen in POINT_SETS.items():
            errors[count, unit] = distance_TK[:, list(chosen)].mean(axis=1) / size_T
    return errors


def video_stability(points_TK2: FloatArray, truth_TK2: FloatArray, numbers_T: NDArray[np.int64]) -> Stability:
    """e1 to e4 of the scored frames; a frame that is not among numbers (ascending) is a gap and is never bridged.

    All of T frames; nan where no frame gives a figure.
    """
    if not len(numbers_T):
        return Stability(*[float("nan")] * 4)
    rows = numbers_T - numbers_T[0]
    length = max(int(rows[-1]) + 1, MIN_FRAMES)
    points, truth = (np.full((length, *points_TK2.shape[1:]), np.nan) for _ in range(2))
    seen = np.isfinite(points_TK2).all(axis=(1, 2), keepdims=True)
    points[rows], truth[rows] = np.where(seen, points_TK2, np.nan), truth_TK2
    return stability(points, truth)


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """One of MEASURES over several videos, in per cent; nan where no frame gives it."""

    nme: float
    """Mean over all frames with the face (SBR's, the frame level)."""
    nme_interval: tuple[float, float]
    """95 %, by bootstrap over the videos; nan for a single video, as in all intervals."""
    nme_video: float
    """Mean of the videos' means (FHR's, the video level); videos in which the face is never seen cannot count."""
    nme_video_interval: tuple[float, float]
    auc7: float
    auc8: float
    auc8_interval: tuple[float, float]
    """Areas under the CED of all frames; a missing frame adds nothing."""
    fr8: float
    fr10: float
    fr8_interval: tuple[float, float]
    """Share of all frames above the threshold; a missing frame is one of them."""


def error_figures(videos: Sequence[Float64Array]) -> ErrorFigures:
    """The figures of V videos, each (T,) NME of its scored frames as a ratio, NaN where the face is missing."""
    seen = [errors[np.isfinite(errors)] for errors in videos]
    filled = [np.where(np.isfinite(errors), errors, MISSING) for errors in videos if len(errors)]
    means = np.array([values.mean() for values in seen if len(values)])
    frames = np.concatenate(filled) if filled else np.array([MISSING])
    areas = np.array([np.maximum(0, 1 - errors / 0.08).sum() for errors in filled])
    failures = np.array([(errors > 0.08).sum() for errors in filled])
    sums, counts = np.array([values.sum() for values in seen]), np.array([len(values) for values in seen])
    lengths = np.array([len(errors) for errors in filled])
    return ErrorFigures(
        nme=100 * _ratio(sums.sum(), counts.sum()),
        nme_interval=ratio_interval(sums, counts),
        nme_video=100 * float(means.mean()) if len(means) else float("nan"),
        nme_video_interval=ratio_interval(means, np.ones(len(means))),
        auc7=100 * area_under_ced(frames, AREA_THRESHOLDS[0]),
        auc8=100 * area_under_ced(frames, AREA_THRESHOLDS[1]),
        auc8_interval=ratio_interval(areas, lengths),
        fr8=100 * failure_rate(frames, FAILURE_THRESHOLDS[0]),
        fr10=100 * failure_rate(frames, FAILURE_THRESHOLDS[1]),
        fr8_interval=ratio_interval(failures, lengths),
    )


def ratio_interval(
    sums_V: FloatArray, counts_V: FloatArray, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Low and high end, per cent, of the interval of Σ sums / Σ counts when videos are drawn with replacement.

    Percentiles of the resampled ratios (Efron & Tibshirani, 1993, chapter 13): frames of one video resemble each
    other, so that they must be drawn together. The same seed gives the same interval; nan for fewer than two videos.
    """
    if len(sums_V) < 2:
        return float("nan"), float("nan")
    draws = _draws(len(sums_V), resamples, seed)
    counts = draws @ np.asarray(counts_V, np.float64)
    ratios = 100 * (draws @ np.asarray(sums_V, np.float64))[counts > 0] / counts[counts > 0]
    if not len(ratios):
        return float("nan"), float("nan")
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _draws(videos: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, V) how often each video is drawn."""
    return np.random.default_rng(seed).multinomial(videos, [1 / videos] * videos, size=resamples).astype(np.float64)


def mean_stability(videos: Sequence[Stability]) -> Stability:
    """Mean over the videos, each figure over those that give it (FHR + STA's way); nan if none does."""
    columns = ([getattr(each, field.name) for each in videos] for field in fields(Stability))
    known = ([value for value in column if np.isfinite(value)] for column in columns)
    return Stability(*(float(np.mean(column)) if column else float("nan") for column in known))


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count else float("nan")
