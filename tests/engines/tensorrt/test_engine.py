"""Plans on the double of each library: whole inferences, and every way in which a plan does not fit."""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from startrack.engines import load_engine
from startrack.engines.base import EngineError, LandmarkBatch, UnsuitableError
from startrack.engines.plans import runtime_cache
from startrack.engines.plans.build import BuildOptions, build_plan
from startrack.engines.plans.graph import PlanGraph
from startrack.engines.plans.measure import Machine, write_plan
from startrack.engines.plans.runtime_cache import cache_path
from startrack.engines.sidecar import read_sidecar, sidecar_path, write_sidecar
from startrack.engines.tensorrt_engine import TensorRtEngine
from tests.engines.bindings import RTX
from tests.engines.cuda_double import FakeCuda, cudaError_t
from tests.engines.tensorrt.behaviour import FakeTensorRt
from tests.engines.tensorrt.conftest import MakePlan

FIELDS = ("points", "covariance", "score", "presence")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (11, 64, 64, 3), dtype=np.uint8)


def assert_close(found: LandmarkBatch, expected: LandmarkBatch) -> None:
    """To what half arithmetic leaves of a network with random weights."""
    for field in FIELDS:
        given, wanted = getattr(found, field), getattr(expected, field)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, wanted, rtol=0.05, atol=0.2, err_msg=field)


@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_a_plan_gives_what_the_model_gives(
    make_plan: MakePlan, tiny_onnx: Path, fake: FakeTensorRt, crops: np.ndarray, count: int
) -> None:
    with load_engine(make_plan()) as engine, load_engine(tiny_onnx) as reference:
        assert engine.spec == reference.spec
        for _ in range(2):  # the second time from graphs
            assert_close(engine(crops[:count]), reference(crops[:count]))
    assert fake.cuda.leaks == []


def test_each_batch_size_has_its_graph(make_plan: MakePlan, fake: FakeTensorRt, crops: np.ndarray) -> None:
    with TensorRtEngine(make_plan()) as engine:
        first = [engine(crops[:count]).points for count in (1, 3, 2)]
        fake.cuda.calls.clear()
        again = [engine(crops[:count]).points for count in (2, 1, 3)]
        # TensorRT for RTX records its own
        assert fake.cuda.calls.count("graph") == (0 if fake.rtx else 3)
        assert not fake.rtx or fake.scenario.seen["graphs"] == "WHOLE_GRAPH_CAPTURE"
    for earlier, later in zip(first, (again[1], again[2], again[0]), strict=True):
        np.testing.assert_allclose(earlier, later, atol=1e-4)
    with TensorRtEngine(make_plan(), graphs=False) as engine:
        fake.cuda.calls.clear()
        np.testing.assert_allclose(engine(crops[:3]).points, first[1], atol=1e-4)
        assert "graph" not in fake.cuda.calls
        assert not fake.rtx or fake.scenario.seen["graphs"] == "DISABLED"
    assert fake.cuda.leaks == []


def test_a_profile_that_begins_above_one(make_plan: MakePlan, tiny_onnx: Path, crops: np.ndarray) -> None:
    plan = make_plan(options=BuildOptions(min_batch=3, opt_batch=3, max_batch=4))
    with load_engine(plan) as engine, load_engine(tiny_onnx) as reference:
        for count in (1, 2, 5):
            assert_close(engine(crops[:count]), reference(crops[:count]))


def test_the_engine_s_own_refusals(make_plan: MakePlan, fake: FakeTensorRt, crops: np.ndarray) -> None:
    plan = make_plan()
    with pytest.raises(EngineError, match="runs on an NVIDIA GPU, not on 'cpu'"):
        load_engine(plan, "cpu")
    engine = TensorRtEngine(plan)
    with pytest.raises(EngineError, match="gives no heatmaps"):
        engine(crops, heatmaps=True)
    with pytest.raises(EngineError, match="crops are float64"):
        engine(crops.astype(np.float64))
    fake.scenario.cannot_run = True
    with pytest.raises(EngineError, match="tiny: TensorRT cannot run"):
        engine(crops)
    fake.scenario.cannot_run = False
    fake.cuda.fail_at_wait = cudaError_t.cudaErrorInvalidValue
    with pytest.raises(EngineError, match="cannot run on the GPU"):
        engine(crops)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine(crops)
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.gpu_ms(1)
    assert fake.cuda.leaks == []


def test_lack_of_memory_leaves_nothing_behind(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    plan = make_plan()
    fake.cuda.memory_bytes = 8192
    with pytest.raises(EngineError, match="out of memory"):
        TensorRtEngine(plan)
    assert fake.cuda.leaks == []


def test_a_plan_of_another_gpu_or_version_says_so(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    plan, version = make_plan(), fake.module.__version__
    fake.cuda.capability = (8, 9)
    with pytest.raises(UnsuitableError) as caught:
        load_engine(plan)
    library = "TensorRT for RTX" if fake.rtx else "TensorRT"
    assert str(caught.value) == (
        f"{plan}: built for sm_86 and {library} {version}, this is sm_89 and {library} {version}: run startrack "
        "build-engine here"
    )
    fake.cuda.capability = (8, 6)
    newer = "1.8.0.1" if fake.rtx else "11.5.0.1"
    fake.module.__version__ = newer  # type: ignore[attr-defined]
    with pytest.raises(UnsuitableError, match=rf"this is sm_86 and {library} {newer}: run startrack build-engine"):
        load_engine(plan)


def test_a_portable_plan_asks_for_less(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    plan = make_plan(options=BuildOptions(portable="ampere+"))
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    assert sidecar.plan is not None
    assert sidecar.plan.mismatch(fake.module.__version__, "12.0") is None
    assert "built for sm_80 and newer" in str(sidecar.plan.mismatch(fake.module.__version__, "7.5"))
    same_sm = replace(sidecar.plan, portable="same-sm")
    assert same_sm.mismatch(fake.module.__version__, "8.6") is None
    assert same_sm.mismatch(fake.module.__version__, "8.9") is not None


def test_another_card_of_the_same_kind_is_told(
    make_plan: MakePlan, fake: FakeTensorRt, caplog: pytest.LogCaptureFixture, crops: np.ndarray
) -> None:
    plan = make_plan()
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    assert sidecar.plan is not None
    write_sidecar(plan, sidecar.spec, replace(sidecar.plan, gpu="Other GPU"))
    with caplog.at_level(logging.WARNING), load_engine(plan) as engine:
        engine(crops[:1])
    if fake.rtx:  # chooses its kernels where it runs
        assert "built on" not in caplog.text
        return
    assert "tiny.plan: built on Other GPU, this is Fake GPU: it runs, maybe slowly" in caplog.text


def test_where_a_plan_cannot_run_the_model_beside_it_does(
    make_plan: MakePlan,
    fake: FakeTensorRt,
    tiny_onnx: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    crops: np.ndarray,
) -> None:
    plan = make_plan()
    shutil.copy(tiny_onnx, plan.with_suffix(".onnx"))
    fake.cuda.capability = (9, 0)
    with caplog.at_level(logging.WARNING), load_engine(plan) as engine, load_engine(tiny_onnx) as reference:
        assert_close(engine(crops), reference(crops))
    assert "this is sm_90" in caplog.text
    assert "running tiny.onnx instead" in caplog.text
    with pytest.raises(UnsuitableError, match="this is sm_90"):
        load_engine(plan, "cuda")
    monkeypatch.setitem(sys.modules, fake.module.__name__, None)
    with load_engine(plan) as engine:
        assert type(engine).__name__ == "OnnxEngine"


def test_another_model_is_no_replacement(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path

    plan = make_plan()
    shutil.copy(zoo_path(DEFAULT_LANDMARKS), plan.with_suffix(".onnx"))
    fake.cuda.gpus = 0
    with pytest.raises(UnsuitableError, match="cannot use a GPU"):
        load_engine(plan)


def _spoil(plan: Path, kind: str) -> None:
    described = sidecar_path(plan)
    content = json.loads(described.read_text())
    match kind:
        case "changed" | "truncated":
            whole = plan.read_bytes()
            plan.write_bytes(whole[:-1] if kind == "truncated" else whole[:-1] + b"?")
        case "no sidecar":
            described.unlink()
        case "of a model":
            del content["plan"]
        case "deep":
            described.write_text("[" * 100_000)
            return
        case "huge":
            described.write_text(" " * (2 << 20))
            return
        case "binary":
            described.write_bytes(b"\xff\xfe\x00" * 50)
            return
        case "text for a number":
            content["plan"]["max_batch"] = "16"
        case "true for a number":
            content["plan"]["min_batch"] = True
        case "batches":
            content["plan"]["max_batch"] = 0
        case "capabilities":
            content["plan"]["compute_capabilities"] = ["8.6", "86"]
        case "no capability":
            content["plan"]["compute_capabilities"] = []
        case "runtime":
            content["plan"]["runtime"] = "openvino"
        case "portable":
            content["plan"]["portable"] = "everywhere"
        case "further":
            content["plan"]["command"] = "rm"
        case "list":
            content["plan"] = ["11.4"]
        case "landmarks":
            content["spec"]["num_landmarks"] = 98
        case "size":
            content["spec"]["input_size"] = 128
    if kind != "no sidecar":
        described.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("changed", "damaged or exchanged file"),
        ("truncated", "damaged or exchanged file"),
        ("no sidecar", r"no tiny\.plan\.json that describes it; expected a plan of build-engine"),
        ("of a model", r"no tiny\.plan\.json that describes it"),
        ("deep", "not a model's sidecar"),
        ("huge", "2097152 bytes; expected a model's sidecar"),
        ("binary", "not a model's sidecar"),
        ("text for a number", "max_batch is '16'; expected int"),
        ("true for a number", "min_batch is True; expected int"),
        ("batches", "batches are 1, 2, 0"),
        ("portable", "portable is 'everywhere'; expected no, same-sm, ampere\\+"),
        ("capabilities", r"compute_capabilities are \['8\.6', '86'\]"),
        ("no capability", r"compute_capabilities are \[\]"),
        ("runtime", "runtime is 'openvino'; expected tensorrt, tensorrt-rtx"),
        ("further", "not what is kept of a TensorRT plan"),
        ("list", "not what is kept of a TensorRT plan|not a model's sidecar"),
        ("landmarks", r"outputs .*expected .*'points': \(98, 2\)"),
        ("size", r"expected TensorSpec\(name='crops', shape=\(128, 128, 3\)"),
    ],
)
def test_damaged_plans_are_refused(make_plan: MakePlan, fake: FakeTensorRt, kind: str, message: str) -> None:
    plan = make_plan()
    _spoil(plan, kind)
    with pytest.raises(EngineError, match=message):
        load_engine(plan)
    assert fake.cuda.leaks == []


def test_nothing_is_deserialised_before_it_is_checked(
    make_plan: MakePlan, fake: FakeTensorRt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is code: what the sidecar does not vouch for must not reach TensorRT."""
    plan = make_plan()
    plan.write_bytes(b"code of somebody else")
    monkeypatch.setattr(fake.module.Runtime, "deserialize_cuda_engine", lambda *_: pytest.fail("was deserialised"))
    with pytest.raises(EngineError, match="damaged or exchanged"):
        load_engine(plan)


def test_what_tensorrt_refuses_is_told(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    plan = make_plan()
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    plan.write_bytes(b"not a plan at all")
    write_sidecar(plan, sidecar.spec, sidecar.plan)
    with pytest.raises(UnsuitableError, match=r"refuses it: .*magicTag does not match"):
        load_engine(plan)


def test_a_plan_and_a_model_of_one_name_have_their_own_sidecars(make_plan: MakePlan, tiny_onnx: Path) -> None:
    plan = make_plan()
    assert sidecar_path(plan).name == "tiny.plan.json"
    assert sidecar_path(plan.with_suffix(".onnx")).name == "tiny.json"
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    assert sidecar.plan is not None
    assert (sidecar.plan.source, sidecar.plan.precision) == ("tiny.onnx", "half")
    assert str(plan.parent) not in sidecar_path(plan).read_text()


def test_time_on_the_gpu_is_measured(make_plan: MakePlan, fake: FakeTensorRt) -> None:
    with TensorRtEngine(make_plan()) as engine:
        assert [engine.gpu_ms(2) for _ in range(3)] == [1.0, 1.0, 1.0]
        assert engine.device_memory_bytes == 4096
    assert isinstance(fake.cuda, FakeCuda)


@pytest.fixture
def rtx_plan(half_tiny: PlanGraph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[FakeTensorRt, Path]:
    """TensorRT for RTX and a plan for two kinds of cards, built on a machine without one."""
    rtx = FakeTensorRt(RTX)
    rtx.install(monkeypatch)
    options = BuildOptions(max_batch=4, compute_capabilities=("8.6", "12.0"))
    built = build_plan(rtx.module, half_tiny, options, timings=None, console=Console(file=io.StringIO()))
    machine = Machine("tensorrt-rtx", rtx.module.__version__, None, "no NVIDIA driver")
    write_plan(tmp_path / "tiny.plan", built, half_tiny, options=options, machine=machine)
    return rtx, tmp_path / "tiny.plan"


def test_a_plan_for_several_cards(rtx_plan: tuple[FakeTensorRt, Path], tiny_onnx: Path, crops: np.ndarray) -> None:
    rtx, plan = rtx_plan
    for capability in ((8, 6), (12, 0)):
        rtx.cuda.capability = capability
        with load_engine(plan) as engine, load_engine(tiny_onnx) as reference:
            assert_close(engine(crops), reference(crops))
            assert isinstance(engine, TensorRtEngine)
            assert engine.facts.runtime == "tensorrt-rtx"
    rtx.cuda.capability = (8, 9)
    with pytest.raises(UnsuitableError, match=r"built for sm_86, sm_120 and TensorRT for RTX .*, this is sm_89"):
        load_engine(plan)


def test_compiled_kernels_are_kept_beside_the_plan(rtx_plan: tuple[FakeTensorRt, Path], crops: np.ndarray) -> None:
    rtx, plan = rtx_plan
    kept = cache_path(plan)
    assert kept.name == "tiny.plan.cache"
    with load_engine(plan) as engine:
        engine(crops[:2])
        assert "runtime cache" not in rtx.scenario.seen
        assert not kept.exists()
    first = kept.read_bytes()
    assert b"batch 2" in first
    changed = kept.stat().st_mtime_ns
    with load_engine(plan) as engine:
        assert rtx.scenario.seen["runtime cache"] is True
        engine(crops[:2])
    assert kept.stat().st_mtime_ns == changed, "nothing new was compiled"
    with load_engine(plan) as engine:
        engine(crops[:3])
    assert kept.read_bytes().startswith(first)
    assert b"batch 3" in kept.read_bytes()
    assert rtx.cuda.leaks == []


@pytest.mark.parametrize("content", [b"", b"of another machine", b"x" * 100])
def test_a_cache_that_does_not_fit_is_as_good_as_none(
    rtx_plan: tuple[FakeTensorRt, Path], crops: np.ndarray, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    rtx, plan = rtx_plan
    cache_path(plan).write_bytes(content)
    monkeypatch.setattr(runtime_cache, "LARGEST_CACHE", 99)
    with load_engine(plan) as engine:
        assert len(engine(crops[:1]).points) == 1
    # an empty one and one that is too large are not even given to the library
    assert rtx.scenario.seen.get("runtime cache") == (False if len(content) == 18 else None)
    assert b"kernels of" in cache_path(plan).read_bytes()


def test_a_folder_that_cannot_be_written_costs_a_warning(
    rtx_plan: tuple[FakeTensorRt, Path], crops: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    _, plan = rtx_plan
    cache_path(plan).mkdir()
    with caplog.at_level(logging.WARNING), load_engine(plan) as engine:
        engine(crops[:1])
    assert "compiled kernels cannot be kept" in caplog.text
    assert sorted(path.name for path in plan.parent.iterdir()) == ["tiny.plan", "tiny.plan.cache", "tiny.plan.json"]


def test_each_plan_runs_with_the_library_that_built_it(
    rtx_plan: tuple[FakeTensorRt, Path], monkeypatch: pytest.MonkeyPatch, crops: np.ndarray
) -> None:
    _, plan = rtx_plan
    monkeypatch.setitem(sys.modules, "tensorrt", FakeTensorRt(11).module)
    with load_engine(plan) as engine:
        assert len(engine(crops[:1]).points) == 1
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(
        UnsuitableError, match=r"tensorrt-rtx is not installed; expected: pip install 'startrack\[rtx\]'"
    ):
        load_engine(plan, "cuda")
