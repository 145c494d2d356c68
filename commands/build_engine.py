"""build-engine: trained weights or a model file → a TensorRT plan for this machine, measured before it is used."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named

if TYPE_CHECKING:
    from startrack.engines.base import Engine, ModelSpec
    from startrack.engines.cuda.runtime import Gpu
    from startrack.engines.plans.build import BuildOptions
    from startrack.engines.plans.gate import Comparison
    from startrack.engines.plans.graph import PlanGraph
    from startrack.engines.plans.report import PlanReport
    from startrack.engines.plans.timing_cache import TimingCache
    from startrack.train.sets.sample import Sample

PLAN_MISSED = 1


@one_line_errors()
def build_engine(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors) or a model of export (.onnx).")],
    out: Annotated[Path, typer.Option(callback=named(".plan"), help="Plan to write; its .plan.json goes beside it.")],
    data: Annotated[Path | None, typer.Option(help="Folder of a data set: compare landmarks on its faces.")] = None,
    dataset: Annotated[str, typer.Option(help="What that data set is, as for evaluate.")] = "300w",
    split: Annotated[str, typer.Option(help="Which of its faces.")] = "validation",
    reference: Annotated[
        Path | None, typer.Option(callback=named(".onnx"), help="Float32 model, where --weights is none.")
    ] = None,
    min_batch: Annotated[int, typer.Option("--min", min=1, help="Fewest faces at once.")] = 1,
    opt_batch: Annotated[int, typer.Option("--opt", min=1, help="Faces at once to be fastest with.")] = 4,
    max_batch: Annotated[int, typer.Option("--max", min=1, help="Most faces at once.")] = 16,
    workspace: Annotated[int, typer.Option(min=1, help="MB of GPU memory for one kernel's own use.")] = 2048,
    optimisation_level: Annotated[int, typer.Option(min=0, max=5, help="5: slowest build, fastest plan.")] = 3,
    timing_cache: Annotated[
        Path | None, typer.Option(help="Folder to keep kernel timings in: faster rebuilds.")
    ] = None,
    portable: Annotated[
        Literal["no", "same-sm", "ampere+"], typer.Option(help="Other GPUs it shall run on; slower.")
    ] = "no",
    fp32: Annotated[bool, typer.Option("--fp32", help="All in float32, as a reference.")] = False,
    report: Annotated[Path | None, typer.Option(help="All that was measured, as JSON; - for the screen.")] = None,
    triton: Annotated[Path | None, typer.Option(help="Model repository of Triton to add a good plan to.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Build a TensorRT plan on this GPU and measure it.

    Exits with 1 if the plan is not what was asked for: convolutions of another precision, or landmarks that stray from
    the float32 model's; the plan and the report are there all the same.
    """
    from startrack.engines import load_engine
    from startrack.engines.cuda.runtime import open_cuda
    from startrack.engines.plans.build import BuildOptions
    from startrack.engines.plans.graph import plan_graph
    from startrack.engines.plans.library import open_tensorrt
    from startrack.engines.plans.timing_cache import TimingCache
    from startrack.tracker.session.run import check_outputs, write_text
    from startrack.train.sets import DATASETS

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    options = BuildOptions(min_batch, opt_batch, max_batch, workspace, optimisation_level, portable)
    check_outputs(str(weights), (out, report), overwrite=overwrite)
    trt, gpu = open_tensorrt(), open_cuda().gpu()  # before the export takes its minute
    timings = TimingCache.of(timing_cache, gpu, trt.__version__) if timing_cache else None
    with TemporaryDirectory(prefix="startrack-") as folder:
        source = weights if weights.suffix == ".onnx" else _export(weights, Path(folder) / f"{weights.stem}.onnx")
        graph = plan_graph(source, half=not fp32)
        if data and graph.source_precision != "float" and reference is None:
            raise typer.BadParameter("missing; expected the float32 model to compare with", param_hint="--reference")
        with ExitStack() as stack:
            against = None
            if data:
                float_engine = stack.enter_context(load_engine(reference or source, "cpu", threads=os.cpu_count() or 1))
                against = _comparison(float_engine, reference or source, DATASETS[dataset](data, split), graph.spec)
            measured = _build((trt, gpu), graph, out, options=options, against=against, timings=timings)
    typer.echo(measured.to_text(), err=str(report) == "-")
    if report:
        write_text(report, measured.to_json())
    if measured.problems:
        raise typer.Exit(PLAN_MISSED)
    if triton:
        from startrack.engines import triton_repository

        triton_repository.write(out, triton, max_batch=max_batch)


def _export(weights: Path, out: Path) -> Path:
    """The float32 model file of trained weights."""
    from startrack.engines.graphs.export import export_onnx
    from startrack.train.recipes.load import load_landmark_network

    spec, network = load_landmark_network(weights)
    export_onnx(network, spec, out, half_weights=False)
    return out


def _comparison(float_engine: Engine, model: Path, samples: list[Sample], spec: ModelSpec) -> Comparison:
    """The float32 model, of that file, and the crops of the faces."""
    from startrack.engines.base import EngineError
    from startrack.engines.plans.gate import Comparison, Faces
    from startrack.tracker.model_scheme import scheme_of
    from startrack.train.evaluation.face_crops import cut_faces
    from startrack.train.metrics.nme import inter_ocular

    if float_engine.spec != spec:
        raise EngineError(f"{model.name}: a model of {float_engine.spec.name!r}; expected {spec.name!r}, as the plan's")
    crops, truth = cut_faces(samples, spec)
    return Comparison(float_engine, model.name, Faces(crops, truth, inter_ocular(truth, scheme_of(spec))))


def _build(
    machine: tuple[Any, Gpu],
    graph: PlanGraph,
    out: Path,
    *,
    options: BuildOptions,
    against: Comparison | None,
    timings: TimingCache | None,
) -> PlanReport:
    """The plan, written and measured. machine: the module tensorrt and the GPU."""
    from rich.console import Console

    from startrack.engines.plans.build import build_plan
    from startrack.engines.plans.measure import measure_plan, note_verdict, write_plan
    from startrack.engines.tensorrt_engine import TensorRtEngine

    trt, gpu = machine
    built = build_plan(trt, graph, options, timings=timings, console=Console(stderr=True))
    facts = write_plan(out, built, graph, options=options, gpu=gpu, tensorrt_version=trt.__version__)
    measured = measure_plan(
        lambda graphs: TensorRtEngine(out, "cuda", graphs=graphs),
        against,
        built=built,
        graph=graph,
        facts=facts,
        gpu=gpu,
    )
    return note_verdict(out, measured)
