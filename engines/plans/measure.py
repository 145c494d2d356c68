"""A built plan → a file with its sidecar → its measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from startrack import __version__
from startrack.engines.base import EngineError
from startrack.engines.cuda.runtime import Gpu
from startrack.engines.plans.build import BuildOptions, BuiltPlan
from startrack.engines.plans.facts import NO_GPU, PlanFacts, Runtime
from startrack.engines.plans.gate import Accuracy, Comparison, Latency, PlanEngine, measure_accuracy, measure_latency
from startrack.engines.plans.graph import PlanGraph
from startrack.engines.plans.layers import LayerReport, Requested, judge_build_log, judge_inspector
from startrack.engines.plans.report import PlanReport
from startrack.engines.sidecar import sidecar_path, write_sidecar
from startrack.stopping import unbroken
from startrack.whole_file import whole_file

MEASURE_S = 3.0
"""Of each latency, after the warm-up."""
NOT_MEASURED = "not measured"


class MeasuredEngine(PlanEngine, Protocol):
    """engines.tensorrt_engine.TensorRtEngine."""

    @property
    def device_memory_bytes(self) -> int: ...

    def inspect(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a plan is built."""

    runtime: Runtime
    version: str
    """Of that library."""
    gpu: Gpu | None
    """None where TensorRT for RTX builds without one."""
    no_gpu: str = ""
    """Why there is no GPU."""


def write_plan(path: Path, built: BuiltPlan, graph: PlanGraph, *, options: BuildOptions, machine: Machine) -> PlanFacts:
    """Write the plan and its sidecar, which as yet says that nothing was measured.

    Raises EngineError if the file cannot be written.
    """
    gpu = machine.gpu
    facts = PlanFacts(
        runtime=machine.runtime,
        tensorrt=machine.version,
        cuda=gpu.cuda_version if gpu else NO_GPU,
        driver=gpu.driver_version if gpu else NO_GPU,
        gpu=gpu.name if gpu else NO_GPU,
        compute_capabilities=options.compute_capabilities or ((gpu.compute_capability,) if gpu else ()),
        multiprocessors=gpu.multiprocessors if gpu else 0,
        portable=options.portable,
        precision=graph.precision,
        min_batch=options.min_batch,
        opt_batch=options.opt_batch,
        max_batch=options.max_batch,
        source=graph.source,
        source_sha256=graph.source_sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        startrack=__version__,
        verdict=NOT_MEASURED,
    )
    try:
        with unbroken():
            with whole_file(path) as partial:
                partial.write_bytes(built.plan)
                # an old sidecar with a new plan would call it damaged, and none at all is no plan of ours
                sidecar_path(path).unlink(missing_ok=True)
            write_sidecar(path, graph.spec, facts)
    except OSError as error:
        raise EngineError(f"{path}: cannot be written: {error.strerror}") from error
    return facts


def measure_plan(
    open_engine: Callable[[bool], MeasuredEngine],
    against: Comparison | None,
    *,
    built: BuiltPlan,
    graph: PlanGraph,
    facts: PlanFacts,
    gpu: Gpu,
) -> PlanReport:
    """Layers, latency and, where there is something to compare with, accuracy.

    open_engine(graphs): the plan, with or without CUDA graphs. Raises EngineError if the plan cannot be run.
    """
    batches = sorted({facts.min_batch, facts.opt_batch, facts.max_batch})
    size = graph.spec.input_size
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    crops = against.faces.crops if against else noise
    latency: list[Latency] = []
    accuracy: list[Accuracy] = []
    for graphs in (False, True):
        with open_engine(graphs) as engine:
            for batch in batches:
                latency.append(measure_latency(engine, crops, batch, graph=graphs, measure_s=MEASURE_S))
            if graphs:  # as it will be used
                accuracy = measure_accuracy(engine, against, batches) if against else []
            else:
                layers = _judge_layers(engine, built, graph)
                memory_bytes = engine.device_memory_bytes
    return PlanReport(
        graph=graph,
        facts=facts,
        built=built,
        layers=layers,
        gpu=gpu,
        device_memory_bytes=memory_bytes,
        latency=tuple(latency),
        accuracy=tuple(accuracy),
        reference=against.name if against else "",
    )


def report_unmeasured(built: BuiltPlan, graph: PlanGraph, facts: PlanFacts, reason: str) -> PlanReport:
    """Report of a plan where it cannot run: the layers of its build log. reason: why it cannot."""
    return PlanReport(graph, facts, built, judge_build_log(built.layers, _requested(graph)), not_run=reason)


def _judge_layers(engine: MeasuredEngine, built: BuiltPlan, graph: PlanGraph) -> LayerReport:
    """By the inspector of the plan as it runs, or by the build log where it shows no convolution."""
    shown = judge_inspector(engine.inspect(), _requested(graph))
    if shown.convolutions or not built.layers:
        return shown
    return judge_build_log(built.layers, _requested(graph))


def _requested(graph: PlanGraph) -> Requested:
    return Requested(graph.precision, graph.convolutions, graph.float_nodes)


def note_verdict(path: Path, report: PlanReport) -> PlanReport:
    """Write the verdict of the measurements into the plan's sidecar, and into the report."""
    facts = replace(report.facts, verdict=report.verdict)
    write_sidecar(path, report.graph.spec, facts)
    return replace(report, facts=facts)
