"""build-engine from the command line to the tracker's engine, on the double of each library."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

from startrack.engines import engine_latency, load_engine
from startrack.engines.plans import gate as plan_gate
from startrack.engines.plans import measure as measure_plan
from startrack.engines.sidecar import read_sidecar
from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
from startrack.train.sets.pts import write_pts
from tests.commands.invoke import done, message, run, shipped
from tests.engines.bindings import RTX
from tests.engines.tensorrt.behaviour import FakeTensorRt


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_plan, "MEASURE_S", 0.0)
    monkeypatch.setattr(plan_gate, "LEAST_GPU_RUNS", 1)
    monkeypatch.setattr(engine_latency, "LEAST_RUNS", 1)
    monkeypatch.setattr(engine_latency, "WARM_UP_RUNS", 1)


@pytest.fixture
def noise_300w(tmp_path: Path) -> Path:
    """Three pictures of noise in the layout of 300W's challenging set."""
    rng = np.random.default_rng(5)
    folder = tmp_path / "300w" / "ibug"
    folder.mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (90, 90, 3), dtype=np.uint8))
        write_pts(folder / f"{number}.pts", rng.uniform(10, 80, (68, 2)))
    return tmp_path / "300w"


def missed(result: Result) -> str:
    """The last line of a build whose plan is not what was asked for."""
    assert result.exit_code == 1, result.output
    return result.output.splitlines()[-1]


def build(model: Path, out: Path, *more: object, batches: tuple[int, int, int] = (1, 2, 3)) -> list[object]:
    low, opt, high = batches
    return ["build-engine", "--weights", model, "--out", out, "--min", low, "--opt", opt, "--max", high, *more]


def test_a_model_becomes_a_plan_that_tracks(
    fake: FakeTensorRt, tiny_onnx: Path, noise_300w: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "tiny.plan", tmp_path / "report.json"
    more = ["--data", noise_300w, "--split", "challenging", "--report", report, "--timing-cache", tmp_path / "timings"]
    result = run(*build(tiny_onnx, out, *more))
    content = json.loads(report.read_text())
    assert content["plan"]["tensorrt"] == fake.module.__version__
    assert content["layers"]["convolutions"].keys() == {"Half"}
    assert content["layers"]["wrong"] == []
    assert {(entry["batch"], entry["graph"]) for entry in content["latency"]} == {
        (batch, graph) for batch in (1, 2, 3) for graph in (True, False)
    }
    # the network is random, so that half costs it more than a trained one: it is the comparison that is shown here
    batches = content["accuracy"]["batches"]
    assert [entry["batch"] for entry in batches] == [1, 2, 3]
    assert all(0 < entry["mean_px"] < 1 and entry["faces"] == 3 for entry in batches)
    assert result.exit_code == (0 if content["verdict"] == "passed" else 1)
    assert content["verdict"] in result.output
    sidecar = read_sidecar(out)
    assert sidecar is not None
    assert sidecar.plan is not None
    assert sidecar.plan.verdict == content["verdict"]
    assert (tmp_path / "timings").exists() != fake.rtx
    assert not content["build"]["timing_cache_used"]
    assert str(tmp_path) not in report.read_text()
    with load_engine(out) as engine:
        assert engine(np.zeros((5, 64, 64, 3), np.uint8)).points.shape == (5, 68, 2)
    assert fake.cuda.leaks == []


def test_float_reference(fake: FakeTensorRt, tiny_onnx: Path, noise_300w: Path, tmp_path: Path) -> None:
    more = ["--fp32", "--data", noise_300w, "--split", "challenging"]
    more += [] if fake.rtx else ["--triton", tmp_path / "models"]
    result = done(*build(tiny_onnx, tmp_path / "a.plan", *more))
    assert "0.000 px mean" in result.output
    assert result.output.splitlines()[-1] == "passed"
    assert "Float; " in result.output
    if fake.rtx:
        return
    assert (tmp_path / "models" / "tiny" / "1" / "model.plan").read_bytes() == (tmp_path / "a.plan").read_bytes()
    assert "max_batch_size: 3" in (tmp_path / "models" / "tiny" / "config.pbtxt").read_text()


def test_a_plan_that_came_out_in_float32_fails(fake: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    fake.scenario.ignores_half = True
    assert "convolutions do not run in Half" in missed(run(*build(tiny_onnx, tmp_path / "a.plan")))
    assert (tmp_path / "a.plan").exists()
    sidecar = read_sidecar(tmp_path / "a.plan")
    assert sidecar is not None
    assert sidecar.plan is not None
    assert sidecar.plan.verdict.startswith("missed: ")


def test_a_plan_that_strays_fails(fake: FakeTensorRt, tiny_onnx: Path, noise_300w: Path, tmp_path: Path) -> None:
    fake.scenario.shift_px = 0.5
    more = ["--fp32", "--data", noise_300w, "--split", "challenging"]
    more += [] if fake.rtx else ["--triton", tmp_path / "models"]
    line = missed(run(*build(tiny_onnx, tmp_path / "a.plan", *more)))
    assert not (tmp_path / "models").exists()
    # half a pixel to the right and down of 64 pixels
    assert f"landmarks move by {0.5 * 2**0.5 * 4:.3f} px" in line


def test_accuracy_that_nobody_asked_for(fake: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    result = done(*build(tiny_onnx, tmp_path / "a.plan"))
    assert result.output.splitlines()[-1] == "accuracy not measured; layers as asked for"


def test_failures_are_one_line(fake: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.plan"
    fake.scenario.parse_errors = [("Conv", "node_conv_2", "kernel of another type")]
    assert "cannot parse it: Conv 'node_conv_2': kernel of another type" in message(run(*build(tiny_onnx, out)), 4)
    fake.scenario.parse_errors = []
    fake.scenario.refuses_profile = True
    assert "refuses batches of" in message(run(*build(tiny_onnx, out)), 4)
    fake.scenario.refuses_profile = False
    assert "batches of 3, 2 and 1" in message(run(*build(tiny_onnx, out, batches=(3, 2, 1))), 4)
    fake.cuda.gpus = 0
    if not fake.rtx:
        assert "cannot use a GPU" in message(run(*build(tiny_onnx, out)), 4)
    assert not out.exists()


def test_interrupt_leaves_no_plan(fake: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    from startrack.engines.plans import build as build_tensorrt

    def interrupted(build: object, cancel: object) -> None:
        cancel()  # type: ignore[operator]
        return build()  # type: ignore[operator, no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_tensorrt, "_interruptible", interrupted)
        result = run(*build(tiny_onnx, tmp_path / "a.plan"))
    assert message(result, 130) == "startrack: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_a_half_model_needs_its_float_reference(
    fake: FakeTensorRt, tiny_onnx: Path, noise_300w: Path, tmp_path: Path
) -> None:
    from startrack.engines.graphs.export_half import export_half

    half = tmp_path / "half.onnx"
    export_half(tiny_onnx, half)
    data = ["--data", noise_300w, "--split", "challenging"]
    result = run(*build(half, tmp_path / "a.plan", *data))
    assert result.exit_code == 2
    assert "--reference" in result.stderr
    content = tmp_path / "report.json"
    run(*build(half, tmp_path / "a.plan", *data, "--reference", tiny_onnx, "--report", content))
    assert json.loads(content.read_text())["accuracy"]["reference"] == "tiny.onnx"
    shutil.copy(zoo_path(FLOAT_LANDMARKS), tmp_path / "other.onnx")
    other = build(half, tmp_path / "b.plan", *data, "--reference", tmp_path / "other.onnx")
    assert "expected 'tiny', as the plan's" in message(run(*other), 4)


def test_an_unknown_data_set(tiny_onnx: Path, tmp_path: Path) -> None:
    result = run(*build(tiny_onnx, tmp_path / "a.plan", "--data", tmp_path, "--dataset", "400w"))
    assert result.exit_code == 2
    assert "'400w'; expected 300w, " in result.stderr.replace("\n", " ")


def test_without_tensorrt(tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    line = message(run(*build(tiny_onnx, tmp_path / "a.plan")), 4)
    expected = "pip install 'startrack[gpu]', or 'startrack[rtx]' for an RTX card"
    assert line == f"startrack: tensorrt is not installed; expected: {expected}"


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    """TensorRT for RTX alone, on a machine without a GPU."""
    machine = FakeTensorRt(RTX)
    machine.install(monkeypatch)
    machine.cuda.gpus = 0
    return machine


def test_a_plan_is_built_without_a_gpu(rtx: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "tiny.plan", tmp_path / "report.json"
    result = done(*build(tiny_onnx, out, "--compute-capability", "8.6,12.0", "--report", report))
    assert "not run here: inspector, latency, memory on the GPU, landmarks" in result.output
    assert result.output.splitlines()[-1].startswith("layers as asked for; not run: cannot use a GPU")
    content = json.loads(report.read_text())
    assert content["not_run"]["reason"].startswith("cannot use a GPU")
    assert content["plan"]["compute_capabilities"] == ["8.6", "12.0"]
    assert (content["plan"]["runtime"], content["plan"]["gpu"]) == ("tensorrt-rtx", "none")
    assert content["layers"]["source"] == "build log"
    assert content["layers"]["convolutions"].keys() == {"Half"}
    sidecar = read_sidecar(out)
    assert sidecar is not None
    assert sidecar.plan is not None
    assert sidecar.plan.verdict == content["verdict"]
    rtx.cuda.gpus, rtx.cuda.capability = 1, (12, 0)
    with load_engine(out) as engine:
        assert engine(np.zeros((1, 64, 64, 3), np.uint8)).points.shape == (1, 68, 2)


def test_a_float_plan_fails_without_a_gpu_too(rtx: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    rtx.scenario.ignores_half = True
    assert "convolutions do not run in Half" in missed(run(*build(tiny_onnx, tmp_path / "a.plan")))
    rtx.scenario.prints_layers = False
    line = message(run(*build(tiny_onnx, tmp_path / "b.plan")), 4)
    assert "build log has no table of layers" in line


def test_a_plan_for_other_cards_than_this_machine_s(rtx: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    rtx.cuda.gpus = 1
    result = done(*build(tiny_onnx, tmp_path / "a.plan", "--compute-capability", "12.0"))
    assert "not run: built for other GPUs than this machine's of 8.6" in result.output
    for value, reason in {"9.0": "builds nothing for compute capability 9.0", "8": "expected such as 8.6"}.items():
        wrong = build(tiny_onnx, tmp_path / "b.plan", "--compute-capability", value)
        assert reason in message(run(*wrong), 4)
    assert not (tmp_path / "b.plan").exists()


def test_options_of_the_other_library(rtx: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    result = run(*build(tiny_onnx, tmp_path / "a.plan", "--portable", "ampere+"))
    assert result.exit_code == 2
    assert "--compute-capability" in result.stderr
    result = run(*build(tiny_onnx, tmp_path / "a.plan", "--triton", tmp_path / "models"))
    assert result.exit_code == 2
    assert "runs no plan of TensorRT for RTX" in result.stderr.replace("\n", " ").replace("│ ", "").replace("  ", " ")
    result = done(*build(tiny_onnx, tmp_path / "a.plan", "--timing-cache", tmp_path / "timings"))
    assert "--timing-cache changes nothing" in result.stderr
    assert not (tmp_path / "timings").exists()


def test_where_the_inspector_is_blind_the_build_log_counts(fake: FakeTensorRt, tiny_onnx: Path, tmp_path: Path) -> None:
    fake.scenario.inspector_is_blind = True
    report = tmp_path / "report.json"
    done(*build(tiny_onnx, tmp_path / "a.plan", "--report", report))
    assert json.loads(report.read_text())["layers"]["source"] == "build log"
    fake.scenario.prints_layers = False
    assert "the inspector shows no convolution" in missed(run(*build(tiny_onnx, tmp_path / "b.plan")))


@pytest.mark.data
@shipped
def test_the_shipped_model_in_half_keeps_to_the_limits_on_real_faces(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, tmp_path: Path
) -> None:
    """The gate itself, on real crops; ONNX Runtime's half arithmetic on the CPU stands in for the GPU's."""
    FakeTensorRt(11).install(monkeypatch)
    root, chosen = tmp_path / "300w" / "ibug", sorted((data_dir / "300w" / "afw").glob("*.pts"))[:24]
    root.mkdir(parents=True)
    for label in chosen:
        for path in (label, label.with_suffix(".jpg")):
            (root / path.name).symlink_to(path)
    report = tmp_path / "report.json"
    more = ["--data", root.parent, "--split", "challenging", "--report", report]
    result = done(*build(zoo_path(FLOAT_LANDMARKS), tmp_path / "a.plan", *more, batches=(1, 4, 8)))
    assert result.output.splitlines()[-1] == "passed"
    for entry in json.loads(report.read_text())["accuracy"]["batches"]:
        assert 0 < entry["mean_px"] < 0.1
        assert abs(entry["nme"] - entry["reference_nme"]) < 0.02
