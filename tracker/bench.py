"""Milliseconds of each stage on a clip, in wall and in CPU time."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from engines.base import Engine
from tracker.detect.base import FaceDetector
from tracker.pipeline import TrackerOptions, track
from tracker.smooth.base import MakeSmoother
from tracker.types import Frame

WARM_UP = 30
"""Frames before the measurement: first runs allocate and fill caches."""


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Means per frame in milliseconds; the tracker's own work, without decoding, drawing and sinks."""

    model: str
    frames: int
    faces_per_frame: float
    cpu_ms: float
    """CPU time of the whole process, all threads."""
    wall_ms_p50: float
    wall_ms_p90: float
    wall_ms_p99: float
    detect_ms: float
    """Mean over all frames, although the detector runs in few of them."""
    crop_ms: float
    engine_ms: float
    smooth_ms: float
    peak_memory_mb: float
    """Of the process so far, decoding included."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def measure(
    frames: Iterable[Frame],
    detect: FaceDetector,
    engine: Engine,
    *,
    make_smoother: MakeSmoother,
    options: TrackerOptions,
    count: int,
) -> BenchReport:
    """Track up to `count` frames after a warm-up, all decoded before. Raises ValueError if the clip is too short."""
    decoded = _first(frames, WARM_UP + count)
    if len(decoded) <= WARM_UP:
        raise ValueError(f"{len(decoded)} frames, expected more than {WARM_UP} for warming up")
    cpu_ms, wall_ms, stages, faces = [], [], [], []
    stream = track(decoded, detect, engine, make_smoother=make_smoother, options=options)
    for _ in decoded:
        cpu, wall = time.process_time(), time.perf_counter()
        tracked = next(stream)
        cpu_ms.append(1e3 * (time.process_time() - cpu))
        wall_ms.append(1e3 * (time.perf_counter() - wall))
        latency = tracked.latency
        stages.append((latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms))
        faces.append(len(tracked.tracks))
    means = np.mean(stages[WARM_UP:], axis=0)
    percentiles = np.percentile(wall_ms[WARM_UP:], [50, 90, 99])
    figures = [np.mean(faces[WARM_UP:]), np.mean(cpu_ms[WARM_UP:]), *percentiles, *means, peak_memory_mb()]
    return BenchReport(engine.spec.name, len(decoded) - WARM_UP, *(round(float(value), 3) for value in figures))


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB (10⁶ bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _first(frames: Iterable[Frame], count: int) -> list[Frame]:
    iterator: Iterator[Frame] = iter(frames)
    return [frame for frame, _ in zip(iterator, range(count), strict=False)]
