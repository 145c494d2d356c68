"""ONNX → TensorRT plan, strongly typed: the precision is the graph's own, on TensorRT 10.12 and newer and on 11."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from startrack.engines.base import EngineError
from startrack.engines.plans.compute_capabilities import set_capabilities
from startrack.engines.plans.facts import Portable
from startrack.engines.plans.graph import LEFT_OUT, PlanGraph
from startrack.engines.plans.library import Messages, create, logger_for, make_error_recorder
from startrack.engines.plans.progress import BuildProgress, make_monitor
from startrack.engines.plans.timing_cache import TimingCache

MEGABYTE = 1 << 20
WAIT_S = 0.1
SHOWN_ERRORS = 10


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a plan is to be built."""

    min_batch: int = 1
    opt_batch: int = 4
    """Faces at once that kernels are chosen for."""
    max_batch: int = 16
    workspace_mb: int = 2048
    """GPU memory that a kernel may use in addition to its tensors, 2**20 bytes each."""
    optimisation_level: int = 3
    """0 to 5: kernels that are tried."""
    portable: Portable = "no"
    compute_capabilities: tuple[str, ...] = ()
    """GPUs to build for, e.g. ("8.6", "8.9"): for TensorRT for RTX alone; empty for the one of this machine."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_batch <= self.opt_batch <= self.max_batch:
            raise EngineError(
                f"batches of {self.min_batch}, {self.opt_batch} and {self.max_batch}; expected 1 or more, ascending"
            )
        if not 0 <= self.optimisation_level <= 5 or self.workspace_mb < 1:
            raise EngineError(
                f"optimisation level {self.optimisation_level}, workspace {self.workspace_mb} MB; expected 0 to 5 and "
                f"1 or more"
            )


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A plan and how it came about."""

    plan: bytes
    seconds: float
    timings_kept: bool
    """Whether a timing cache of an earlier build was used."""
    layers: str
    """Table of the plan's layers, of the build log; empty if none was printed."""


def build_plan(
    trt: Any, graph: PlanGraph, options: BuildOptions, *, timings: TimingCache | None, console: Console
) -> BuiltPlan:
    """Build on GPU 0; TensorRT for RTX needs none. trt: the module of open_tensorrt. console: where the bars are drawn.

    Raises EngineError with TensorRT's reasons if it cannot be built, and KeyboardInterrupt after a Ctrl-C, once
    TensorRT has stopped; the timings measured until then are kept.
    """
    started = time.perf_counter()
    messages = Messages()
    logger = logger_for(trt, messages)
    builder = create(trt.Builder, logger, messages)
    # by its name: the number differs between 10 and 11
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    # after the network, which would inherit it: the parser gives an inherited recorder back to its network when it is
    # freed, and the bindings free the network first
    recorder = make_error_recorder(trt, messages)
    builder.error_recorder = recorder
    parser = trt.OnnxParser(network, logger)  # owns the weights until the plan is built
    _parse(parser, graph)
    _leave_out_outputs(network)
    config = builder.create_builder_config()
    _configure(trt, config, options)
    _add_profile(builder, config, graph, options)
    kept = timings.load_into(config) if timings else False
    with BuildProgress(console) as progress:
        monitor = make_monitor(trt, progress)
        config.progress_monitor = monitor
        plan = _interruptible(lambda: builder.build_serialized_network(network, config), progress.cancel)
    if timings:
        timings.save_from(config)
    if progress.cancelled:
        raise KeyboardInterrupt
    if plan is None:
        raise EngineError(f"{graph.source}: TensorRT {trt.__version__} cannot build it: {messages.to_text()}")
    return BuiltPlan(bytes(plan), time.perf_counter() - started, kept, messages.layers)


def _parse(parser: Any, graph: PlanGraph) -> None:
    """Raises EngineError that lists each error with the node it is about."""
    if parser.parse(graph.model):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    lines = [
        f"{error.node_operator()} {error.node_name()!r}: {error.desc().strip()}" for error in errors[:SHOWN_ERRORS]
    ]
    more = f" (and {len(errors) - SHOWN_ERRORS} more)" if len(errors) > SHOWN_ERRORS else ""
    reasons = "; ".join(lines) + more or "TensorRT names no node"
    raise EngineError(f"{graph.source}: TensorRT cannot parse it: {reasons}")


def _leave_out_outputs(network: Any) -> None:
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    for tensor in outputs:
        if tensor.name in LEFT_OUT:
            network.unmark_output(tensor)


def _configure(trt: Any, config: Any, options: BuildOptions) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb * MEGABYTE)
    config.builder_optimization_level = options.optimisation_level
    # without it neither inspector nor build log shows a layer's precision
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # float32 islands, and a float32 reference, are to be float32: TF32 keeps 10 bits and is on by default
    config.clear_flag(trt.BuilderFlag.TF32)
    levels = trt.HardwareCompatibilityLevel
    match options.portable:
        case "same-sm":
            config.hardware_compatibility_level = levels.SAME_COMPUTE_CAPABILITY
        case "ampere+":
            config.hardware_compatibility_level = levels.AMPERE_PLUS
    if options.compute_capabilities:
        set_capabilities(trt, config, options.compute_capabilities)


def _add_profile(builder: Any, config: Any, graph: PlanGraph, options: BuildOptions) -> None:
    size = graph.spec.input_size
    profile = builder.create_optimization_profile()
    shapes = [(batch, size, size, 3) for batch in (options.min_batch, options.opt_batch, options.max_batch)]
    profile.set_shape(graph.input, *shapes)
    if config.add_optimization_profile(profile) < 0:
        raise EngineError(f"{graph.source}: TensorRT refuses batches of {shapes} for its input {graph.input!r}")


def _interruptible(build: Callable[[], Any], cancel: Callable[[], None]) -> Any:
    """The result of `build`, run in a thread of its own: TensorRT must not be left by an exception in a callback, so
    that a Ctrl-C becomes a request that it answers at the end of a step."""
    outcome: list[Any] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(build())
        except BaseException as error:  # raised again below
            failures.append(error)

    thread = threading.Thread(target=run, name="tensorrt build", daemon=True)
    thread.start()
    while thread.is_alive():
        try:
            thread.join(WAIT_S)
        except KeyboardInterrupt:
            cancel()
    if failures:
        raise failures[0]
    return outcome[0]
