"""How fast an engine is on given crops."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from startrack.engines.base import CropArray, Engine, FloatArray

BATCHES = (1, 4, 16)
"""Faces in one call, as measured by default."""
WARM_UP_S, WARM_UP_RUNS, LEAST_RUNS = 0.2, 3, 10


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """Wall time of one call with so many crops, copies to and from the GPU included."""

    batch: int
    runs: int
    latency_ms_p50: float
    latency_ms_p90: float
    latency_ms_p99: float
    throughput_fps: float
    """Faces a second, one call after the other."""


def measure(
    engine: Engine, crops: CropArray, *, batches: Sequence[int] = BATCHES, seconds: float = 3.0
) -> list[BatchFigures]:
    """Each batch size for about `seconds` after a warm-up, at least 10 times; each call gets the next crops.

    crops: (N, S, S, 3), N at least 1. Raises EngineError as the engine does.
    """
    return [_measure(engine, crops, batch, seconds) for batch in batches]


def read_points(engine: Engine, crops: CropArray, *, batch: int = 16) -> FloatArray:
    """(N, K, 2) landmarks of all crops, crop pixels."""
    parts = [engine(crops[start : start + batch]).points for start in range(0, len(crops), batch)]
    return np.concatenate(parts)


def _measure(engine: Engine, crops: CropArray, batch: int, seconds: float) -> BatchFigures:
    starts = np.arange(batch)
    warm, runs = 0, list[float]()
    started = time.perf_counter()
    while warm < WARM_UP_RUNS or time.perf_counter() - started < min(WARM_UP_S, seconds):
        engine(crops[(starts + warm * batch) % len(crops)])
        warm += 1
    started = time.perf_counter()
    while len(runs) < LEAST_RUNS or time.perf_counter() - started < seconds:
        chosen = crops[(starts + len(runs) * batch) % len(crops)]
        before = time.perf_counter()
        engine(chosen)
        runs.append(1e3 * (time.perf_counter() - before))
    p50, p90, p99 = (float(value) for value in np.percentile(runs, [50, 90, 99]))
    return BatchFigures(batch, len(runs), p50, p90, p99, 1e3 * batch * len(runs) / sum(runs))
