"""A whole build on the double of either major version: what is asked of TensorRT, and what is made of its refusals."""

from __future__ import annotations

import io
import json
import sys
import threading
from pathlib import Path

import onnx
import pytest
from rich.console import Console

from startrack.engines.base import EngineError, UnsuitableError
from startrack.engines.cuda.runtime import Cuda
from startrack.engines.plans.build import BuildOptions, build_plan
from startrack.engines.plans.graph import PlanGraph, plan_graph
from startrack.engines.plans.library import open_tensorrt
from startrack.engines.plans.timing_cache import TimingCache
from tests.engines.tensorrt.behaviour import FakeTensorRt, Scenario
from tests.engines.tensorrt.conftest import OPTIONS

major_versions = pytest.mark.parametrize("major", [10, 11])


def build(
    fake: FakeTensorRt, graph: PlanGraph, options: BuildOptions = OPTIONS, timings: TimingCache | None = None
) -> bytes:
    console = Console(file=io.StringIO(), force_terminal=True)
    return build_plan(fake.module, graph, options, timings=timings, console=console).plan


@major_versions
def test_a_build_asks_for_what_the_options_say(major: int, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major)
    assert build(fake, half_tiny).startswith(b"PLAN")
    trt, seen = fake.module, fake.scenario.seen
    assert seen["pool"] == (trt.MemoryPoolType.WORKSPACE, 64 << 20)
    assert seen["cleared"] == [trt.BuilderFlag.TF32]
    assert seen["config"].builder_optimization_level == 2
    assert not hasattr(seen["config"], "_played_hardware_compatibility_level")
    assert seen["header"]["shapes"] == {"crops": [(1, 64, 64, 3), (2, 64, 64, 3), (4, 64, 64, 3)]}
    assert seen["header"]["outputs"] == ["points", "covariance", "score", "presence"]
    assert seen["header"]["detailed"]


@major_versions
@pytest.mark.parametrize(("portable", "level"), [("same-sm", "SAME_COMPUTE_CAPABILITY"), ("ampere+", "AMPERE_PLUS")])
def test_portable_plans(major: int, portable: str, level: str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major)
    build(fake, half_tiny, BuildOptions(portable=portable))  # type: ignore[arg-type]
    assert fake.scenario.seen["config"].hardware_compatibility_level.name == level


@major_versions
def test_parse_errors_name_their_nodes(major: int, half_tiny: PlanGraph) -> None:
    errors = [("Resize", "node_resize_3", "scales must be constant\n"), ("Conv", "node_conv_7", "kernel of other type")]
    fake = FakeTensorRt(major, Scenario(parse_errors=errors))
    with pytest.raises(EngineError) as caught:
        build(fake, half_tiny)
    assert str(caught.value) == (
        "tiny.onnx: TensorRT cannot parse it: Resize 'node_resize_3': scales must be constant; "
        "Conv 'node_conv_7': kernel of other type"
    )


@major_versions
def test_many_parse_errors_are_counted(major: int, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major, Scenario(parse_errors=[("Add", f"node_{index}", "mixed types") for index in range(15)]))
    with pytest.raises(EngineError, match=r"Add 'node_9': mixed types \(and 5 more\)"):
        build(fake, half_tiny)


@major_versions
def test_the_graph_as_exported_would_not_parse(major: int, tiny_onnx: Path, half_tiny: PlanGraph) -> None:
    """The exporter turns the uint8 crops before it casts them; the plan's graph must do it after."""
    fake = FakeTensorRt(major)
    raw = PlanGraph(**{**_fields(half_tiny), "model": tiny_onnx.read_bytes()})
    with pytest.raises(EngineError, match="Transpose 'node_permute': uint8 is converted to float only"):
        build(fake, raw)


def _fields(graph: PlanGraph) -> dict[str, object]:
    return {name: getattr(graph, name) for name in PlanGraph.__slots__}


@major_versions
def test_a_refused_profile(major: int, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major, Scenario(refuses_profile=True))
    with pytest.raises(EngineError, match=r"TensorRT refuses batches of .*\(4, 64, 64, 3\)\] for its input 'crops'"):
        build(fake, half_tiny)


@major_versions
def test_a_failed_build_gives_tensorrt_s_reason_once(major: int, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major, Scenario(build_error="Could not find any implementation for node conv_3."))
    with pytest.raises(EngineError, match=r"cannot build it: ") as caught:
        build(fake, half_tiny)
    assert str(caught.value).count("any implementation for node conv_3") == 1


@major_versions
def test_interrupt_stops_the_build_and_keeps_its_timings(
    major: int, half_tiny: PlanGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTensorRt(major)
    timings = _timings(tmp_path, fake)
    fake.scenario.at_step = _interrupt_while_joining(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        build(fake, half_tiny, timings=timings)
    assert timings.path.exists()
    assert "header" not in fake.scenario.seen, "the build went on"


def _interrupt_while_joining(monkeypatch: pytest.MonkeyPatch) -> object:
    """Raise KeyboardInterrupt in the waiting thread, once, and let the build go on only then."""
    building, cancelled = threading.Event(), threading.Event()
    join = threading.Thread.join

    def interrupting_join(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "tensorrt build" and building.is_set() and not cancelled.is_set():
            cancelled.set()
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupting_join)

    def at_step() -> None:
        building.set()
        assert cancelled.wait(10)
        threading.Event().wait(0.05)  # until the request has been passed on

    return at_step


def _timings(folder: Path, fake: FakeTensorRt) -> TimingCache:
    return TimingCache.of(folder / "timings", Cuda(fake.cuda).gpu(), fake.module.__version__)


@major_versions
def test_timings_are_kept_for_the_same_machine(major: int, half_tiny: PlanGraph, tmp_path: Path) -> None:
    fake = FakeTensorRt(major)
    timings = _timings(tmp_path, fake)
    assert timings.path.name == f"fake-gpu-sm86-28-tensorrt{fake.module.__version__}-cuda13.0.timing"
    console = Console(file=io.StringIO())
    built = [build_plan(fake.module, half_tiny, OPTIONS, timings=timings, console=console) for _ in range(2)]
    assert [entry.timings_kept for entry in built] == [False, True]
    timings.path.write_bytes(b"damaged")
    again = build_plan(fake.module, half_tiny, OPTIONS, timings=timings, console=console)
    assert not again.timings_kept
    assert timings.path.read_bytes() == f"timings of {fake.module.__version__}".encode()
    assert [entry.name for entry in timings.path.parent.iterdir()] == [timings.path.name]


def test_timings_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "timings").write_text("in the way")
    with pytest.raises(EngineError, match="cannot keep a timing cache here"):
        _timings(tmp_path, FakeTensorRt(11))


@major_versions
def test_tensorrt_that_cannot_start(major: int, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(major, Scenario(cannot_start=True))
    with pytest.raises(UnsuitableError, match="TensorRT cannot start: CUDA initialization failure"):
        build(fake, half_tiny)


@major_versions
def test_the_supported_versions_are_opened(major: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTensorRt(major)
    fake.install(monkeypatch)
    assert open_tensorrt() is fake.module
    for version in ("10.11.0.33", "12.0.0.1", "8.6.1", "unknown"):
        monkeypatch.setattr(fake.module, "__version__", version)
        with pytest.raises(UnsuitableError, match=f"TensorRT {version} is installed; expected 10.12 or newer"):
            open_tensorrt()


def test_a_missing_or_broken_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(UnsuitableError, match="tensorrt is not installed"):
        open_tensorrt()
    monkeypatch.delitem(sys.modules, "tensorrt")
    (tmp_path / "tensorrt.py").write_text("raise FileNotFoundError('Could not find: nvinfer_10.dll')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnsuitableError, match="cannot be loaded: Could not find"):
        open_tensorrt()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_batch": 5}, "batches of 5, 4 and 16"),
        ({"min_batch": 0}, "expected 1 or more, ascending"),
        ({"optimisation_level": 6}, "optimisation level 6"),
        ({"workspace_mb": 0}, "workspace 0 MB"),
    ],
)
def test_options_that_make_no_sense(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        BuildOptions(**wrong)  # type: ignore[arg-type]


def test_plan_graph_says_what_it_holds(tiny_onnx: Path, half_tiny: PlanGraph) -> None:
    graph, plain = half_tiny, plan_graph(tiny_onnx, half=False)
    assert (graph.precision, graph.source_precision, plain.precision) == ("half", "float", "float")
    assert len(graph.convolutions) == len(plain.convolutions) > 10
    assert graph.islands["Softmax"] == 1
    assert not plain.islands
    assert len(set(graph.convolutions)) == len(graph.convolutions)
    assert graph.parameters >= plain.parameters > 1000
    kernels = {entry.name: entry.data_type for entry in onnx.load_model_from_string(graph.model).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kernels.values()


def test_half_and_quantised_models_stay_as_they_are(tiny_onnx: Path, half_tiny: PlanGraph, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(half_tiny.model)
    again = plan_graph(half, half=True)
    assert (again.precision, again.source_precision) == ("half", "half")
    with pytest.raises(EngineError, match="its convolutions are half; expected a float32 model for a float32 plan"):
        plan_graph(half, half=False)


def test_other_models_are_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_onnx)
    spec = json.loads(model.metadata_props[0].value)
    del model.metadata_props[:]
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    with pytest.raises(EngineError, match="expected a model of startrack export"):
        plan_graph(path, half=True)
    entry = model.metadata_props.add()
    entry.key, entry.value = "startrack", json.dumps(spec)
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = "pixels" if name == "crops" else name
    model.graph.input[0].name = "pixels"
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r"inputs \['pixels'\]; expected uint8 'crops' alone"):
        plan_graph(path, half=True)
