"""build-engine: trained weights or a model file → a TensorRT plan, measured before it is used where there is a GPU."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named

if TYPE_CHECKING:
    from startrack.engines.base import Engine, ModelSpec
    from startrack.engines.plans.build import BuildOptions
    from startrack.engines.plans.gate import Comparison
    from startrack.engines.plans.graph import PlanGraph
    from startrack.engines.plans.measure import Machine
    from startrack.engines.plans.report import PlanReport
    from startrack.engines.plans.timing_cache import TimingCache
    from startrack.train.sets.sample import Sample

PLAN_MISSED = 1


@one_line_errors()
def build_engine(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors) or a model of export (.onnx).")],
    out: Annotated[Path, typer.Option(callback=named(".plan"), help="Plan to write; its .plan.json goes next to it.")],
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
    compute_capability: Annotated[
        str | None, typer.Option(help="GPUs to build for, as 8.6,8.9,12.0: by TensorRT for RTX, needs none of them.")
    ] = None,
    fp32: Annotated[bool, typer.Option("--fp32", help="All in float32, as a reference.")] = False,
    report: Annotated[Path | None, typer.Option(help="All that was measured, as JSON; - for the screen.")] = None,
    triton: Annotated[Path | None, typer.Option(help="Model repository of Triton to add a good plan to.")] = None,
    triton_backend: Annotated[
        Literal["tensorrt", "onnxruntime", "python"],
        typer.Option(help="What runs there: the plan, or its ONNX model in one of the other two."),
    ] = "tensorrt",
    overwrite: Overwrite = False,
) -> None:
    """Build a TensorRT plan and measure it on this GPU.

    TensorRT builds for this machine's GPU. TensorRT for RTX, where it is installed alone or --compute-capability is
    given, builds for RTX cards also on a machine without one; the report then names the steps that were not run.

    Exits with 1 if the plan does not match the request: convolutions of another precision, or landmarks that stray from
    the float32 model's; the plan and the report are there all the same.
    """
    from startrack.engines import load_engine, triton_repository
    from startrack.engines.base import EngineError, ModelSpec
    from startrack.engines.plans.build import BuildOptions
    from startrack.engines.plans.graph import plan_graph
    from startrack.tracker.session.run import check_outputs, write_text
    from startrack.train.sets import DATASETS

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_outputs(str(weights), (out, report), overwrite=overwrite)
    # before the export takes its minute
    trt, machine, capabilities = _find_machine(compute_capability, portable)
    if triton and triton_backend == "tensorrt" and machine.runtime == "tensorrt-rtx":
        raise typer.BadParameter(
            "a server runs no plan of TensorRT for RTX; expected --triton-backend", param_hint="--triton"
        )
    options = BuildOptions(min_batch, opt_batch, max_batch, workspace, optimisation_level, portable, capabilities)
    timings = _timings(timing_cache, machine)
    with TemporaryDirectory(prefix="startrack-") as folder:
        source = weights if weights.suffix == ".onnx" else _export(weights, Path(folder) / f"{weights.stem}.onnx")
        graph = plan_graph(source, half=not fp32)
        if not isinstance(graph.spec, ModelSpec):
            raise EngineError(f"{weights.name}: a face detector; expected a landmark model")
        if data and graph.source_precision != "float" and reference is None:
            raise typer.BadParameter("missing; expected the float32 model to compare with", param_hint="--reference")
        with ExitStack() as stack:
            against = None
            if data and machine.gpu:
                float_engine = stack.enter_context(load_engine(reference or source, "cpu", threads=os.cpu_count() or 1))
                against = _comparison(float_engine, reference or source, DATASETS[dataset](data, split), graph.spec)
            measured = _build(trt, machine, graph, out, options=options, against=against, timings=timings)
            if triton and not measured.problems:
                model = out if triton_backend == "tensorrt" else source
                triton_repository.write(model, triton, backend=triton_backend, max_batch=max_batch)
    typer.echo(measured.to_text(), err=str(report) == "-")
    if report:
        write_text(report, measured.to_json())
    if measured.problems:
        raise typer.Exit(PLAN_MISSED)


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


def _find_machine(capabilities: str | None, portable: str) -> tuple[Any, Machine, tuple[str, ...]]:
    """The library, where it builds, and the compute capabilities that TensorRT for RTX builds for (else none).

    Raises UnsuitableError if there is no library, or no GPU for TensorRT to build on.
    """
    from startrack.engines.base import UnsuitableError
    from startrack.engines.cuda.runtime import open_cuda
    from startrack.engines.plans.compute_capabilities import choose_capabilities
    from startrack.engines.plans.library import open_tensorrt, runtime_of
    from startrack.engines.plans.measure import Machine

    trt = open_tensorrt("tensorrt-rtx" if capabilities else None)
    runtime = runtime_of(trt)
    if runtime == "tensorrt":
        return trt, Machine(runtime, trt.__version__, open_cuda().gpu()), ()
    if portable != "no":
        raise typer.BadParameter(
            f"{portable!r}; TensorRT for RTX has --compute-capability instead", param_hint="--portable"
        )
    try:
        machine = Machine(runtime, trt.__version__, open_cuda().gpu())
    except UnsuitableError as error:
        machine = Machine(runtime, trt.__version__, None, str(error))
    here = machine.gpu.compute_capability if machine.gpu else None
    chosen = choose_capabilities(trt, capabilities.split(",") if capabilities else (), here)
    if here and here not in chosen:
        machine = replace(machine, gpu=None, no_gpu=f"built for other GPUs than this machine's of {here}")
    return trt, machine, chosen


def _timings(folder: Path | None, machine: Machine) -> TimingCache | None:
    from startrack.engines.plans.timing_cache import TimingCache

    if folder is None:
        return None
    if machine.gpu is None or machine.runtime != "tensorrt":
        typer.echo("startrack: TensorRT for RTX keeps no kernel timings; --timing-cache changes nothing", err=True)
        return None
    return TimingCache.of(folder, machine.gpu, machine.version)


def _build(
    trt: Any,
    machine: Machine,
    graph: PlanGraph,
    out: Path,
    *,
    options: BuildOptions,
    against: Comparison | None,
    timings: TimingCache | None,
) -> PlanReport:
    """The plan, written and, where there is a GPU, measured."""
    from startrack.engines.plans.build import build_plan
    from startrack.engines.plans.measure import measure_plan, note_verdict, report_unmeasured, write_plan
    from startrack.engines.tensorrt_engine import TensorRtEngine
    from startrack.quiet_console import QuietConsole

    built = build_plan(trt, graph, options, timings=timings, console=QuietConsole())
    facts = write_plan(out, built, graph, options=options, machine=machine)
    if machine.gpu is None:
        return note_verdict(out, report_unmeasured(built, graph, facts, machine.no_gpu))
    measured = measure_plan(
        lambda graphs: TensorRtEngine(out, "cuda", graphs=graphs),
        against,
        built=built,
        graph=graph,
        facts=facts,
        gpu=machine.gpu,
    )
    return note_verdict(out, measured)
