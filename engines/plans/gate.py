"""Whether a new plan may be used: how fast it is, and how far its landmarks lie from the float32 model's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import CropArray, Engine, EngineError, FloatArray
from startrack.engines.engine_latency import measure

LEAST_GPU_RUNS = 10
CROP = 256
"""Side of the crop whose pixels the limits are given in."""


class PlanEngine(Engine, Protocol):
    """Interface of the measured engine, engines.tensorrt_engine.TensorRtEngine."""

    def gpu_ms(self, count: int) -> float: ...


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one run."""

    batch: int
    graph: bool
    """Whether a CUDA graph was launched."""
    wall_ms: tuple[float, float, float]
    """p50, p90, p99 from crops in host memory to landmarks in host memory."""
    gpu_ms: tuple[float, float, float]
    """p50, p90, p99 of the network alone, by CUDA events."""
    runs: int


@dataclass(frozen=True, slots=True)
class Faces:
    """Crops of real faces, cut as the tracker does."""

    crops: CropArray
    """(N, S, S, 3) in the model's colour order."""
    truth: FloatArray
    """(N, K, 2) annotated landmarks, crop pixels."""
    normaliser: NDArray[np.float64]
    """(N,) the NME's, crop pixels."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Reference that the plan's landmarks are compared with."""

    reference: Engine
    """The float32 model."""
    name: str
    """Of its file."""
    faces: Faces


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Distance of each landmark from the reference's, in pixels of a 256 pixel crop, and its effect on the NME."""

    batch: int
    faces: int
    mean_px: float
    p99_px: float
    max_px: float
    nme: float
    """Per cent."""
    reference_nme: float
    """Per cent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that a plan must keep at every batch size."""

    mean_px: float = 0.1
    p99_px: float = 0.5


def measure_latency(engine: PlanEngine, crops: CropArray, batch: int, *, graph: bool, measure_s: float) -> Latency:
    """Time runs of `batch` of these crops, for measure_s each way after a warm-up; graph is kept with the figures."""
    (wall,) = measure(engine, crops, batches=(batch,), seconds=measure_s)
    end, gpu_ms = time.perf_counter() + measure_s, list[float]()
    while len(gpu_ms) < LEAST_GPU_RUNS or time.perf_counter() < end:
        gpu_ms.append(engine.gpu_ms(batch))
    p50, p90, p99 = (float(value) for value in np.percentile(gpu_ms, [50, 90, 99]))
    walls = (wall.latency_ms_p50, wall.latency_ms_p90, wall.latency_ms_p99)
    return Latency(batch, graph, walls, (p50, p90, p99), wall.runs)


def measure_accuracy(engine: Engine, against: Comparison, batches: Sequence[int]) -> list[Accuracy]:
    """Compare with the float32 model at every batch size: a kernel may be wrong at one of them alone.

    Raises EngineError if there is no face.
    """
    faces = against.faces
    if not len(faces.crops):
        raise EngineError(f"{engine.spec.name}: no face to measure the accuracy on")
    reference = _points(against.reference, faces.crops, max(batches))
    points_of = {batch: _points(engine, faces.crops, batch) for batch in batches}
    return [_accuracy(batch, points, reference, faces) for batch, points in points_of.items()]


def missed(accuracy: Sequence[Accuracy], limits: Limits) -> list[str]:
    """Limits that are not kept, one line each; a comparison with NaN counts as missed."""
    problems = []
    for entry in accuracy:
        if not (entry.mean_px <= limits.mean_px and entry.p99_px <= limits.p99_px):
            problems.append(
                f"batch {entry.batch}: landmarks move by {entry.mean_px:.3f} px on average and {entry.p99_px:.3f} px "
                f"at p99; expected {limits.mean_px} and {limits.p99_px} at most"
            )
    return problems


def _accuracy(batch: int, points: FloatArray, reference: FloatArray, faces: Faces) -> Accuracy:
    side = faces.crops.shape[1]
    moved = np.linalg.norm((points - reference).astype(np.float64), axis=-1) * CROP / side
    # NaN must not vanish in a percentile
    figures = (moved.mean(), np.percentile(moved, 99), moved.max()) if np.isfinite(moved).all() else (np.nan,) * 3
    mean, p99, largest = (float(value) for value in figures)
    return Accuracy(batch, len(points), mean, p99, largest, _nme(points, faces), _nme(reference, faces))


def _nme(points: FloatArray, faces: Faces) -> float:
    """Per cent, the mean over faces."""
    distances = np.linalg.norm((points - faces.truth).astype(np.float64), axis=-1).mean(axis=1)
    return float(100 * (distances / faces.normaliser).mean())


def _points(engine: Engine, crops: CropArray, batch: int) -> FloatArray:
    """(N, K, 2); each face is one of a whole batch, the last ones together with some of the first."""
    rows = np.arange(-(-len(crops) // batch) * batch) % len(crops)
    parts = [engine(crops[rows[start : start + batch]]).points for start in range(0, len(rows), batch)]
    return np.concatenate(parts)[: len(crops)]
