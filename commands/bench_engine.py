"""bench-engine: models on every engine that runs here, on the same crops."""

from __future__ import annotations

import json as json_text
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.models import open_detector, open_engine
from startrack.commands.shared.options import Figures, Threads, named

if TYPE_CHECKING:
    from startrack.engines.base import CropArray, FloatArray, ModelSpec
    from startrack.engines.engine_latency import BatchFigures

DEVICES = {".onnx": ("cpu", "cuda", "tensorrt"), ".safetensors": ("cpu", "cuda"), ".plan": ("cuda",)}
"""Suffix → devices to try; a server has its own."""
RUNTIMES = {".onnx": "ONNX Runtime", ".safetensors": "torch", ".plan": "TensorRT"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model on a device."""

    source: str
    """Model file, or the address of one on a server."""
    device: str

    @property
    def label(self) -> str:
        if "://" in self.source:
            return self.source
        path = Path(self.source)
        return f"{path.name} · {RUNTIMES.get(path.suffix, 'engine')} · {self.device}"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one process found."""

    spec: ModelSpec
    points: FloatArray
    """(N, K, 2) crop pixels."""
    batches: list[BatchFigures]
    load_s: float
    memory_mb: float
    """Peak of the process: Python, libraries, crops and model; not the GPU's."""


@one_line_errors()
def bench_engine(
    data: Annotated[Path, typer.Option(help="Folder of 300W, or a video, to take the faces from.")],
    weights: Annotated[
        list[str] | None, typer.Option(help="Model file or triton:// address; the first is the reference.")
    ] = None,
    split: Annotated[str, typer.Option(help="Faces of 300W.")] = "validation",
    faces: Annotated[int, typer.Option(min=1, help="Faces to take.")] = 100,
    seconds: Annotated[float, typer.Option(min=0, help="To measure each batch size for.")] = 3.0,
    json: Figures = None,
    plot: Annotated[Path | None, typer.Option(callback=named(".png", ".svg"), help="Draw the latencies here.")] = None,
    threads: Threads = 1,
) -> None:
    """Compare the engines that run here, on the same crops."""
    import numpy as np

    from startrack.engines.base import EngineError
    from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
    from startrack.tracker.session.run import check_outputs, write_text

    check_outputs(str(data), (json, plot), overwrite=True)
    candidates = _candidates(weights or [str(zoo_path(DEFAULT_LANDMARKS))])
    measured: dict[str, Measured] = {}
    missing: dict[str, str] = {}
    with TemporaryDirectory(prefix="startrack-") as folder:
        patches = Path(folder) / "patches.npy"
        np.save(patches, _patches(data, split, faces, threads))
        for candidate in candidates:
            try:
                measured[candidate.label] = _in_own_process(candidate, patches, threads, seconds)
            except EngineError as error:
                missing[candidate.label] = str(error)
    if not measured:
        raise EngineError(next(iter(missing.values())))
    report = _report(measured, missing)
    typer.echo(_table(report), err=str(json) == "-")
    if json:
        write_text(json, json_text.dumps(report, indent=2, ensure_ascii=False))
    if plot:
        _plot(measured, report, plot)


def _candidates(sources: list[str]) -> list[Candidate]:
    return [
        Candidate(source, device)
        for source in dict.fromkeys(sources)
        for device in (("auto",) if "://" in source else DEVICES.get(Path(source).suffix.lower(), ("auto",)))
    ]


def _patches(data: Path, split: str, count: int, threads: int) -> CropArray:
    from startrack.train.evaluation.face_patches import patches_of_samples, patches_of_video
    from startrack.train.sets import DATASETS

    if data.is_dir():
        return patches_of_samples(DATASETS["300w"](data, split), count)
    with open_engine(None, "cpu", threads) as engine:
        detect = open_detector("auto", None, None)
        try:
            return patches_of_video(data, count, detect, engine)
        finally:
            detect.close()


def _in_own_process(candidate: Candidate, patches: Path, threads: int, seconds: float) -> Measured:
    """Measured where no other engine has left memory, threads or warm caches."""
    from multiprocessing import get_context

    from startrack.engines.base import EngineError

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure_candidate, candidate, patches, threads, seconds).result()
        except BrokenExecutor as error:
            raise EngineError(f"{candidate.source}: the process that ran it died; not enough memory?") from error


def measure_candidate(candidate: Candidate, patches: Path, threads: int, seconds: float) -> Measured:
    """Open and measure one engine. patches: .npy of train.evaluation.face_patches. Raises EngineError if it does not
    run here."""
    import time

    import numpy as np

    from startrack.engines.engine_latency import measure, read_points
    from startrack.tracker.session.bench import peak_memory_mb
    from startrack.train.evaluation.face_patches import crops_of

    started = time.perf_counter()
    url = candidate.source if "://" in candidate.source else None
    with open_engine(None if url else Path(candidate.source), candidate.device, threads, url=url) as engine:
        load_s = time.perf_counter() - started
        crops = crops_of(np.load(patches, mmap_mode="r"), engine.spec)
        points = read_points(engine, crops)
        return Measured(engine.spec, points, measure(engine, crops, seconds=seconds), load_s, peak_memory_mb())


def _report(measured: dict[str, Measured], missing: dict[str, str]) -> dict[str, Any]:
    """Everything measured, JSON; difference in pixels of a 256×256 crop, None for a model of another markup."""
    import numpy as np

    from startrack.train.evaluation.face_patches import difference_px

    reference = next(iter(measured.values()))
    engines: dict[str, Any] = {}
    for label, one in measured.items():
        difference = None
        if (one.spec.scheme, one.points.shape) == (reference.spec.scheme, reference.points.shape):
            px = difference_px((one.spec, one.points), (reference.spec, reference.points))
            difference = {"mean": px.mean(), "p99": np.percentile(px, 99), "max": px.max()}
            difference = {name: round(float(value), 4) for name, value in difference.items()}
        engines[label] = {
            "load_s": round(one.load_s, 3),
            "memory_mb": round(one.memory_mb, 1),
            "difference_px": difference,
            "batches": [{name: round(value, 3) for name, value in asdict(figures).items()} for figures in one.batches],
        }
    return {"faces": len(reference.points), "reference": next(iter(measured)), "engines": engines, "not_run": missing}


def _table(report: dict[str, Any]) -> str:
    lines = [
        "| engine | ms a call at 1, 4, 16 faces (p99) | faces/s at 16 | MB | px off: mean, p99, max |",
        "|---|---|---|---|---|",
    ]
    for label, one in report["engines"].items():
        calls = ", ".join(f"{size['latency_ms_p50']:.1f} ({size['latency_ms_p99']:.1f})" for size in one["batches"])
        fastest = one["batches"][-1]["throughput_fps"]
        lines.append(f"| {label} | {calls} | {fastest:.0f} | {one['memory_mb']:.0f} | {_off(one['difference_px'])} |")
    return "\n".join([*lines, *(f"not run: {label}: {reason}" for label, reason in report["not_run"].items())])


def _off(difference: dict[str, float] | None) -> str:
    if difference is None:
        return "another markup"
    return ", ".join(f"{difference[name]:.3f}" for name in ("mean", "p99", "max"))


def _plot(measured: dict[str, Measured], report: dict[str, Any], path: Path) -> None:
    from startrack.train.report.engine_plot import CallTime, plot_engines

    notes = {
        label: f"{one['difference_px']['mean']:.3f} px off" if one["difference_px"] else ""
        for label, one in report["engines"].items()
    }
    notes[report["reference"]] = "reference"
    times = {
        label: [CallTime(call.batch, call.latency_ms_p50, call.latency_ms_p99) for call in one.batches]
        for label, one in measured.items()
    }
    plot_engines(times, path, notes=notes)
