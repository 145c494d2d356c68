"""Stability with ground truth: faces set in motion, tracked, smoothed in every way, measured against the truth."""

# T frames, K landmarks

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.metrics.stability import (
    delay_frames,
    error_jitter,
    id_switches,
    lag_frames,
    peak_kept,
    stability,
    without_offset,
)
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FloatArray
from startrack.tracker.video.source import read_video
from startrack.train.motion.clips import MotionClip, Scenario, make_clip, write_clip
from startrack.train.motion.expression import FEATURES, opening
from startrack.train.motion.head_path import Float64Array
from startrack.train.motion.recording import Recording, record_track
from startrack.train.sets.sample import Sample

SETTLE_S = 0.5
"""Left out of every figure: a tracker finds the face first."""
MAX_LAG = 6
MakeClip: TypeAlias = Callable[[Scenario], MotionClip]
"""A face that waits for what is to happen."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How steady, prompt and faithful a tracker was on one clip. nan: the clip does not show it."""

    nme_percent: float
    """Mean distance to the truth over the inter-ocular distance, the markup's constant offsets included."""
    error_percent: float
    """e2 without the constant offsets: RMS distance, % of the face's size."""
    jitter_percent: float
    """e3 of the error, % of the face's size."""
    e1_frames: float
    e3_percent: float
    e4_percent: float
    delay_frames: float
    """Least-squares delay of all landmarks."""
    opening_lag_frames: float
    """Delay of the lids' or lips' opening alone."""
    peak_of_truth: float
    """Height of the mean blink or opening of the mouth over the true one; the network's misses are part of it."""
    peak_of_unsmoothed: float
    """The same over the unsmoothed one: the smoother's own share."""
    lost_frames: float
    id_switches: float


@dataclass(frozen=True, slots=True, eq=False)
class Filmed:
    """A clip and its file."""

    scenario: Scenario
    clip: MotionClip
    path: Path


def film(faces: Sequence[MakeClip], scenarios: Sequence[Scenario], folder: Path, *, seed: int = 0) -> Iterator[Filmed]:
    """Every face in every scenario, written into a folder; a file that is there already is taken as it is.

    faces: still_faces or rendered_faces of the same seed.
    """
    for make in faces:
        for scenario in scenarios:
            clip = make(scenario)
            path = folder / f"{scenario.name}-{seed}-{zlib.crc32(clip.name.encode()):08x}.mp4"
            if not path.exists():
                write_clip(clip, path)
            yield Filmed(scenario, clip, path)


def still_faces(samples: Sequence[Sample], seed: int = 0) -> list[MakeClip]:
    """Photos set in motion."""
    return [partial(make_clip, sample, seed=seed) for sample in samples]


def follow(filmed: Filmed, detect: FaceDetector, engine: Engine, evidence: Evidence | None = None) -> Recording:
    """The unsmoothed landmarks of our tracker."""
    options = TrackerOptions(max_faces=1, evidence=evidence or Evidence())
    with read_video(filmed.path) as video:
        tracked = track_frames(video, detect, engine, make_smoother=NoSmoothing, options=options)
        return record_track(tracked, filmed.clip.landmarks)


def figures(
    points_TK2: FloatArray, filmed: Filmed, *, unsmoothed: FloatArray | None = None, ids: FloatArray | None = None
) -> Figures:
    """Measure one tracker's landmarks, (T, K, 2) with nan where it lost the face.

    unsmoothed: the same tracker's raw landmarks. ids: (T,) its ids.
    """
    start = round(SETTLE_S * filmed.clip.fps)
    truth, points = filmed.clip.landmarks[start:], np.asarray(points_TK2, np.float64)[start:]
    seen_T = np.all(np.isfinite(points), axis=(1, 2))
    assert IBUG_68.inter_ocular is not None
    first, second = IBUG_68.inter_ocular
    unit_T = np.linalg.norm(truth[:, second] - truth[:, first], axis=-1)
    distance_T = np.linalg.norm(points - truth, axis=-1).mean(axis=-1) / unit_T
    free = without_offset(points, truth)
    plain = stability(free, truth)
    lag, of_truth, of_raw = _feature(points, truth, None if unsmoothed is None else unsmoothed[start:], filmed)
    return Figures(
        nme_percent=100 * float(distance_T[seen_T].mean()) if seen_T.any() else math.nan,
        error_percent=plain.e2_rmse_percent,
        jitter_percent=error_jitter(free, truth),
        e1_frames=plain.e1_delay_frames,
        e3_percent=plain.e3_jitter_percent,
        e4_percent=plain.e4_jitter_percent,
        delay_frames=delay_frames(free, truth),
        opening_lag_frames=lag,
        peak_of_truth=of_truth,
        peak_of_unsmoothed=of_raw,
        lost_frames=float((~seen_T).sum()),
        id_switches=math.nan if ids is None else float(id_switches(ids[start:])),
    )


def mean_figures(measured: Sequence[Figures]) -> dict[str, float]:
    """Over the clips that tell; lost frames and switches are summed. What no clip tells is left out."""
    results = {}
    for field in fields(Figures):
        values = np.array([getattr(one, field.name) for one in measured])
        known = values[np.isfinite(values)]
        if len(known):
            results[field.name] = float(known.sum() if field.name in ("lost_frames", "id_switches") else known.mean())
    return results


def table(results: Mapping[str, Mapping[str, Sequence[Figures]]]) -> str:
    """tracker → scenario → clips as text: jitter, delay and the remaining peak."""
    lines = [f"{'':24}{'scenario':10} {'jitter %':>8} {'delay':>6} {'error %':>8} {'peak':>6} {'lost':>5}"]
    for tracker, scenarios in results.items():
        for scenario, measured in scenarios.items():
            mean = mean_figures(measured)
            cells = [mean.get(name, math.nan) for name in ("jitter_percent", "delay_frames", "error_percent")]
            peak = mean.get("peak_of_unsmoothed", math.nan)
            lines.append(
                f"{tracker:24}{scenario:10} {cells[0]:8.3f} {cells[1]:6.2f} {cells[2]:8.3f} {peak:6.2f} "
                f"{mean['lost_frames']:5.0f}"
            )
    return "\n".join(lines)


def to_json(results: Mapping[str, Mapping[str, Sequence[Figures]]]) -> dict[str, dict[str, dict[str, float]]]:
    """tracker → scenario → means."""
    return {
        tracker: {scenario: mean_figures(measured) for scenario, measured in scenarios.items()}
        for tracker, scenarios in results.items()
    }


def _feature(
    points: Float64Array, truth: Float64Array, raw: FloatArray | None, filmed: Filmed
) -> tuple[float, float, float]:
    """Lag of the opening, and its peak over the truth's and over the raw landmarks'; nan where nothing opens."""
    amplitudes = filmed.clip.amplitudes[len(filmed.clip.amplitudes) - len(points) :]
    moving = [name for number, name in enumerate(FEATURES) if np.ptp(amplitudes[:, number]) > 0]
    if not moving or not np.isfinite(points).all():
        return math.nan, math.nan, math.nan
    name = moving[-1]  # speech has blinks too; the mouth shows the lag
    amplitude = amplitudes[:, FEATURES.index(name)]
    tracked, true = opening(points, name, IBUG_68), opening(truth, name, IBUG_68)
    lag = lag_frames(tracked, true, max_lag=MAX_LAG)
    rises = np.asarray(np.flatnonzero((amplitude[1:] > 0) & (amplitude[:-1] == 0)) + 1, np.float64)
    if len(rises) < 3:
        return lag, math.nan, math.nan
    length = int((amplitude > 0).sum() / len(rises)) + 3
    of_truth = peak_kept(tracked, true, rises, length)
    if raw is None or not np.isfinite(raw).all():
        return lag, of_truth, math.nan
    return lag, of_truth, peak_kept(tracked, opening(raw, name, IBUG_68), rises, length)
