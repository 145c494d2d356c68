"""A whole build on the double of each library: requests to TensorRT, and the handling of its refusals."""

from __future__ import annotations

import io
import json
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.console import Console

from startrack.engines.base import EngineError, UnsuitableError
from startrack.engines.cuda.runtime import Cuda
from startrack.engines.plans.build import BuildOptions, build_plan
from startrack.engines.plans.compute_capabilities import choose_capabilities
from startrack.engines.plans.graph import PlanGraph, plan_graph
from startrack.engines.plans.library import open_tensorrt, runtime_of
from startrack.engines.plans.timing_cache import TimingCache
from tests.engines.bindings import RTX
from tests.engines.conftest import TINY_SPEC
from tests.engines.tensorrt.behaviour import FakeTensorRt
from tests.engines.tensorrt.conftest import OPTIONS
from tests.engines.tensorrt.machine import Scenario

libraries = pytest.mark.parametrize("library", [10, 11, RTX])
major_versions = pytest.mark.parametrize("library", [10, 11])


def build(
    fake: FakeTensorRt, graph: PlanGraph, options: BuildOptions = OPTIONS, timings: TimingCache | None = None
) -> bytes:
    console = Console(file=io.StringIO(), force_terminal=True)
    return build_plan(fake.module, graph, options, timings=timings, console=console).plan


@libraries
def test_a_build_asks_for_what_the_options_say(library: int | str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(library)
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
def test_portable_plans(library: int | str, portable: str, level: str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(library)
    build(fake, half_tiny, BuildOptions(portable=portable))  # type: ignore[arg-type]
    assert fake.scenario.seen["config"].hardware_compatibility_level.name == level


@libraries
def test_parse_errors_name_their_nodes(library: int | str, half_tiny: PlanGraph) -> None:
    errors = [("Resize", "node_resize_3", "scales must be constant\n"), ("Conv", "node_conv_7", "kernel of other type")]
    fake = FakeTensorRt(library, Scenario(parse_errors=errors))
    with pytest.raises(EngineError) as caught:
        build(fake, half_tiny)
    assert str(caught.value) == (
        "tiny.onnx: TensorRT cannot parse it: Resize 'node_resize_3': scales must be constant; "
        "Conv 'node_conv_7': kernel of other type"
    )


@libraries
def test_many_parse_errors_are_counted(library: int | str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(
        library, Scenario(parse_errors=[("Add", f"node_{index}", "mixed types") for index in range(15)])
    )
    with pytest.raises(EngineError, match=r"Add 'node_9': mixed types \(and 5 more\)"):
        build(fake, half_tiny)


@libraries
def test_a_graph_as_exported_parses(library: int | str, tiny_onnx: Path, half_tiny: PlanGraph) -> None:
    """Its pixels are cast before they are turned; for a graph that turns them first, the parser's reason is given."""
    fake = FakeTensorRt(library)
    exported = PlanGraph(**{**_fields(half_tiny), "model": tiny_onnx.read_bytes()})
    assert build(fake, exported).startswith(b"PLAN")
    model = onnx.load(tiny_onnx)
    turn = onnx.helper.make_node("Transpose", ["crops"], ["turned"], name="turn_pixels", perm=[0, 1, 2, 3])
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = "turned" if name == "crops" else name
    model.graph.node.insert(0, turn)
    turned = PlanGraph(**{**_fields(half_tiny), "model": model.SerializeToString()})
    with pytest.raises(EngineError, match="Transpose 'turn_pixels': uint8 is converted to float only"):
        build(fake, turned)


def _fields(graph: PlanGraph) -> dict[str, object]:
    return {name: getattr(graph, name) for name in PlanGraph.__slots__}


@libraries
def test_a_refused_profile(library: int | str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(library, Scenario(refuses_profile=True))
    with pytest.raises(EngineError, match=r"TensorRT refuses batches of .*\(4, 64, 64, 3\)\] for its input 'crops'"):
        build(fake, half_tiny)


@libraries
def test_a_failed_build_gives_tensorrt_s_reason_once(library: int | str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(library, Scenario(build_error="Could not find any implementation for node conv_3."))
    with pytest.raises(EngineError, match=r"cannot build it: ") as caught:
        build(fake, half_tiny)
    assert str(caught.value).count("any implementation for node conv_3") == 1


@libraries
def test_interrupt_stops_the_build_and_keeps_its_timings(
    library: int | str, half_tiny: PlanGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTensorRt(library)
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
def test_timings_are_kept_for_the_same_machine(library: int | str, half_tiny: PlanGraph, tmp_path: Path) -> None:
    fake = FakeTensorRt(library)
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


@libraries
def test_tensorrt_that_cannot_start(library: int | str, half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(library, Scenario(cannot_start=True))
    with pytest.raises(UnsuitableError, match="TensorRT cannot start: CUDA initialization failure"):
        build(fake, half_tiny)


@major_versions
def test_the_supported_versions_are_opened(library: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTensorRt(library)
    fake.install(monkeypatch)
    assert open_tensorrt() is fake.module
    for version in ("10.11.0.33", "12.0.0.1", "8.6.1", "unknown"):
        monkeypatch.setattr(fake.module, "__version__", version)
        with pytest.raises(UnsuitableError, match=f"TensorRT {version} is installed; expected 10.12 or newer"):
            open_tensorrt()


def test_tensorrt_for_rtx_is_opened_where_it_is_alone_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rtx, other = FakeTensorRt(RTX), FakeTensorRt(11)
    rtx.install(monkeypatch)
    assert open_tensorrt() is rtx.module
    assert runtime_of(rtx.module) == "tensorrt-rtx"
    monkeypatch.setitem(sys.modules, "tensorrt", other.module)
    assert open_tensorrt() is other.module
    assert runtime_of(other.module) == "tensorrt"
    assert open_tensorrt("tensorrt-rtx") is rtx.module
    monkeypatch.setattr(other.module, "__version__", "8.6.1")
    assert open_tensorrt() is rtx.module
    monkeypatch.setattr(rtx.module, "__version__", "2.0.0.1")
    with pytest.raises(UnsuitableError, match=r"TensorRT for RTX 2\.0\.0\.1 is installed; expected 1\.7 or newer"):
        open_tensorrt("tensorrt-rtx")


def test_capabilities_to_build_for(half_tiny: PlanGraph) -> None:
    fake = FakeTensorRt(RTX)
    rtx = fake.module
    assert choose_capabilities(rtx, (), None) == ("8.6", "8.9", "12.0", "12.1")
    assert choose_capabilities(rtx, (), "8.9") == ("8.9",)
    assert choose_capabilities(rtx, ("12.0", "8.6", "12.0"), "8.9") == ("12.0", "8.6")
    with pytest.raises(UnsuitableError, match=r"builds nothing for compute capability 9\.0; expected 7\.5, 8\.0, 8\.6"):
        choose_capabilities(rtx, (), "9.0")
    for wrong in ("86", "sm86", "", "8.6 "):
        with pytest.raises(EngineError, match=r"expected such as 8\.6"):
            choose_capabilities(rtx, (wrong,), None)
    build(fake, half_tiny, BuildOptions(compute_capabilities=("8.9", "12.0")))
    assert fake.scenario.seen["header"]["capabilities"] == ["8.9", "12.0"]
    fake.scenario.refused_capabilities = ("SM89",)
    with pytest.raises(EngineError, match=r"refuses compute capability 8\.9"):
        build(fake, half_tiny, BuildOptions(compute_capabilities=("8.9",)))


@libraries
def test_every_build_of_a_process_has_its_table_of_layers(library: int | str, half_tiny: PlanGraph) -> None:
    """TensorRT keeps to the first logger of a process, also for the builds that follow."""
    fake = FakeTensorRt(library)
    console = Console(file=io.StringIO())
    for _ in range(2):
        layers = build_plan(fake.module, half_tiny, OPTIONS, timings=None, console=console).layers
        assert layers.count("LayerType: ") == len(half_tiny.convolutions) + 1
    assert len(fake.scenario.loggers) == 1


def test_a_missing_or_broken_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsuitableError) as caught:
        open_tensorrt()
    assert str(caught.value) == (
        "tensorrt is not installed; expected: pip install 'startrack[gpu]', or 'startrack[rtx]' for an RTX card"
    )
    with pytest.raises(
        UnsuitableError, match=r"tensorrt-rtx is not installed; expected: pip install 'startrack\[rtx\]'"
    ):
        open_tensorrt("tensorrt-rtx")
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


def quantised(folder: Path, *, zero: int = 0, kind: type = np.int8, bias: type = np.float32) -> Path:
    """A convolution between Q/DQ nodes, with a specification as if it were a landmark model."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    values = {
        "scale": np.float32(0.02), "zero": np.array(zero, kind), "kernel": np.ones((8, 3, 3, 3), np.int8),
        "kernel_scale": np.full(8, 0.01, np.float32), "kernel_zero": np.zeros(8, np.int8),
        "offset": np.zeros(8, bias), "offset_scale": np.full(8, 0.01, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["crops"], ["pixels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["planes", "scale", "zero"], ["rounded"], name="round"),
        helper.make_node("DequantizeLinear", ["rounded", "scale", "zero"], ["map"]),
        helper.make_node("DequantizeLinear", ["kernel", "kernel_scale", "kernel_zero"], ["wide_kernel"], axis=0),
        helper.make_node("Conv", ["map", "wide_kernel", "wide_offset"], ["points"], name="conv_1"),
    ]
    widen = helper.make_node("Identity", ["offset"], ["wide_offset"])
    if bias is np.int32:
        widen = helper.make_node("DequantizeLinear", ["offset", "offset_scale"], ["wide_offset"], name="widen", axis=0)
    graph = helper.make_graph(
        [widen, *nodes],
        "quantised",
        [helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", 64, 64, 3])],
        [helper.make_tensor_value_info("points", onnx.TensorProto.FLOAT, ["batch", 8, 62, 62])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    entry = model.metadata_props.add()
    entry.key, entry.value = "startrack", TINY_SPEC.to_json()
    onnx.save(model, folder / "tiny.onnx")
    return folder / "tiny.onnx"


def test_8_bit_models_that_tensorrt_does_not_build(tmp_path: Path) -> None:
    assert plan_graph(quantised(tmp_path), half=True).precision == "quantised"
    wrong = {
        "8-bit values of type UINT8; expected INT8": {"kind": np.uint8},
        "zero point 3; expected 0": {"zero": 3},
        "DequantizeLinear widen: an offset stored as INT32; expected float offsets": {"bias": np.int32},
    }
    for reason, options in wrong.items():
        with pytest.raises(EngineError, match="no 8-bit model that TensorRT builds: ") as caught:
            plan_graph(quantised(tmp_path, **options), half=True)  # type: ignore[arg-type]
        assert reason in str(caught.value)
        assert "expected its float model, which build-engine makes half, or int8 maps" in str(caught.value)
    (tmp_path / "tiny-float.onnx").touch()
    with pytest.raises(EngineError, match=r"expected tiny-float\.onnx, which build-engine makes half"):
        plan_graph(quantised(tmp_path, zero=3), half=True)
