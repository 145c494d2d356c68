"""Every architecture through NVIDIA's real parser and compiler (TensorRT for RTX), on a machine without a GPU.

Results and speed of a plan need a GPU and are not shown here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from startrack.engines.base import ModelSpec
from startrack.engines.graphs.export import export_onnx
from startrack.engines.sidecar import read_sidecar
from startrack.engines.zoo import zoo_models
from startrack.tracker.schemes import find_scheme
from startrack.train.models.awing_hourglass import AwingHourglass
from startrack.train.models.de_hrnet import DeHRNet
from startrack.train.models.hrnet import HRNet
from startrack.train.models.landmark_head import StarLandmarks
from startrack.train.models.peak_head import CropInput, PeakLandmarks
from startrack.train.models.star_hourglass import CroppedStarHourglass
from startrack.train.recipes.awing import AWING_SPECS
from startrack.train.recipes.compact import COMPACT_SPECS
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS
from startrack.train.recipes.hrnet import HRNET_SPECS
from startrack.train.recipes.networks import build_network
from startrack.train.recipes.star import STAR_SPECS
from startrack.train.weights.checkpoint import save_weights
from tests.engines import bindings
from tests.engines.tensorrt.compile import compile_model

FLOAT_MODELS = [pytest.param(path, id=path.stem) for path in zoo_models() if "float" in path.stem]
FULL_SIZE: dict[str, ModelSpec] = {**COMPACT_SPECS, **STAR_SPECS, **AWING_SPECS, **HRNET_SPECS, **DE_HRNET_SPECS}
LONGEST_BUILD_S, LARGEST_BUILD_GB = 60, 1.5
"""CPU time and memory of a process that builds a full-size network."""


def small(spec: ModelSpec, name: str) -> ModelSpec:
    """The same kind of model for crops of 64 pixels."""
    return replace(spec, name=name, input_size=64, heatmap_size=16)


def star(spec: ModelSpec) -> nn.Module:
    edges = [edge.indices for edge in find_scheme(spec.scheme).edges]
    network = CroppedStarHourglass(
        spec.num_landmarks, edges, stacks=2, channels=16, stem_channels=8, levels=1, input_size=spec.input_size
    )
    return StarLandmarks(network, spec)


def awing(spec: ModelSpec) -> nn.Module:
    network = AwingHourglass(spec.num_landmarks, stacks=2, channels=32, levels=1, input_size=spec.input_size)
    return PeakLandmarks(CropInput(network, spec), spec)


def hrnet(spec: ModelSpec) -> nn.Module:
    network = HRNet(spec.num_landmarks, width=8, modules=(1, 1, 1), blocks=1, all_branches=True)
    return PeakLandmarks(CropInput(network, spec), spec)


def de_hrnet(spec: ModelSpec) -> nn.Module:
    network = DeHRNet(spec.num_landmarks, width=8, modules=(1, 1, 1), blocks=1)
    return PeakLandmarks(CropInput(network, spec, width=32), spec)


SMALL: dict[str, tuple[ModelSpec, Callable[[ModelSpec], nn.Module]]] = {
    "star": (STAR_SPECS["star-300w"], star),
    "awing": (AWING_SPECS["awing-300w"], awing),
    "hrnet": (HRNET_SPECS["hrnet-300w"], hrnet),
    "de-hrnet": (DE_HRNET_SPECS["dehrnet-coco"], de_hrnet),
}


def check_build(build: dict[str, Any], kind: str) -> None:
    """Every convolution is there and in its precision, and what must stay float32 does."""
    assert build["missed"] is None
    assert build["convolutions"].keys() == {kind}
    assert build["convolutions"][kind] >= build["graph_convolutions"] > 10
    assert (build["wrong"], build["unseen"], build["narrowed"]) == ([], [], [])
    assert build["layers"].get("Float", 0) > 0 or not build["float_nodes"]
    assert build["bytes"] > 10_000


def check(found: dict[str, Any]) -> None:
    """The parser takes every node of the file as it is; half and float32 plans are built, one after the other."""
    assert found["supported"]
    assert found["supported_nodes"] == found["nodes"] > 50
    check_build(found["builds"]["half"], "Half")
    check_build(found["builds"]["float"], "Float")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", FLOAT_MODELS)
def test_shipped_models(model: Path) -> None:
    check(compile_model(model, "half", "float"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_of_each_architecture(name: str, tmp_path: Path) -> None:
    bindings.find(bindings.TENSORRT[bindings.RTX])
    of, make = SMALL[name]
    spec = small(of, f"tiny-{name}")
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    export_onnx(make(spec).eval(), spec, path)
    if name == "de-hrnet":
        assert b"GridSample" in path.read_bytes()
    check(compile_model(path, "half", "float"))


@pytest.mark.timeout(600)
def test_a_planted_float_stack_is_refused(tiny_onnx: Path) -> None:
    builds = compile_model(tiny_onnx, "half", "planted")["builds"]
    check_build(builds["half"], "Half")
    planted = builds["planted"]
    assert len(planted["wrong"]) >= 2
    assert planted["convolutions"]["Float"] == len(planted["wrong"])
    assert "convolutions do not run in Half: " in planted["missed"]


FAILING = """
import io, sys
from pathlib import Path
from rich.console import Console
from startrack.engines.base import EngineError
from startrack.engines.plans.build import BuildOptions, build_plan
from startrack.engines.plans.graph import plan_graph
from startrack.engines.plans.library import open_tensorrt
graph = plan_graph(Path(sys.argv[1]), half=False)
options = BuildOptions(compute_capabilities=("7.5",))
try:
    build_plan(open_tensorrt(), graph, options, timings=None, console=Console(file=io.StringIO()))
except EngineError as error:
    print(error)
"""


@pytest.mark.timeout(600)
def test_a_build_that_fails_gives_the_compiler_s_reason(tiny_onnx: Path) -> None:
    """Its errors reach the recorder, which is asked for their number under a name that the bindings do not document."""
    folder = bindings.find(bindings.TENSORRT[bindings.RTX])
    done = bindings.start(folder, ["-c", FAILING, str(tiny_onnx)], timeout_s=300)
    assert done.returncode == 0, done.stderr
    assert "TensorRT 1.7.1.116 cannot build it: " in done.stdout
    assert "gives no reason" not in done.stdout
    assert "pure virtual" not in done.stderr


TIMINGS = """
import sys
from pathlib import Path
from startrack.engines.plans.library import Messages, create, logger_for, open_tensorrt
from startrack.engines.plans.timing_cache import TimingCache
trt, messages = open_tensorrt(), Messages()
builder = create(trt.Builder, logger_for(trt, messages), messages)
timings = TimingCache(Path(sys.argv[1]))
for _ in range(2):
    config = builder.create_builder_config()
    print(timings.load_into(config), timings.path.exists())
    timings.save_from(config)
"""


@pytest.mark.timeout(600)
def test_timings_that_the_library_does_not_read_are_not_called_kept(tmp_path: Path) -> None:
    """It takes the bytes that it wrote itself without an error, and begins with an empty cache all the same."""
    folder = bindings.find(bindings.TENSORRT[bindings.RTX])
    printed = bindings.run(folder, TIMINGS, str(tmp_path / "cache"), timeout_s=300)
    assert printed.splitlines() == ["False False", "False True"]


def build_engine(weights: Path, out: Path, *, timeout_s: float) -> dict[str, Any]:
    """Run build-engine in its own process for three generations of RTX cards; its report."""
    folder = bindings.find(bindings.TENSORRT[bindings.RTX])
    report = out.with_name("report.json")
    command = ["cli.py", "build-engine", "--weights", str(weights), "--out", str(out), "--report", str(report)]
    more = ["--compute-capability", "8.6,8.9,12.0"]
    done = bindings.start(folder, [*command, *more], timeout_s=timeout_s)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-2000:]}"
    assert "not run here: inspector, latency, memory on the GPU, landmarks" in done.stdout
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def check_report(report: dict[str, Any], plan: Path) -> None:
    """A plan in half, built without a GPU, whose report and sidecar say so."""
    assert report["verdict"].startswith("layers as asked for; not run: ")
    assert report["plan"]["runtime"] == "tensorrt-rtx"
    assert report["plan"]["compute_capabilities"] == ["8.6", "8.9", "12.0"]
    assert report["layers"]["convolutions"].keys() == {"Half"}
    assert report["not_run"]["reason"]
    sidecar = read_sidecar(plan)
    assert sidecar is not None
    assert sidecar.plan is not None
    assert sidecar.plan.verdict == report["verdict"]
    assert plan.stat().st_size == report["plan"]["bytes"] > 100_000


@pytest.mark.timeout(600)
def test_the_command_builds_a_plan_and_its_report(tiny_onnx: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.plan"
    check_report(build_engine(tiny_onnx, out, timeout_s=300), out)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [name for name in FULL_SIZE if not name.endswith("-small")])
def test_full_size_networks_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    """Checkpoint → plan and report by the command; the process that compiles alone keeps to its limits."""
    bindings.find(bindings.TENSORRT[bindings.RTX])
    spec = FULL_SIZE[name]
    torch.manual_seed(1)
    network, deployed = build_network(spec)
    checkpoint, model = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.onnx"
    save_weights(checkpoint, network, spec)
    out = tmp_path / f"{name}.plan"
    check_report(build_engine(checkpoint, out, timeout_s=3000), out)
    export_onnx(deployed, spec, model)
    found = compile_model(model, "half", timeout_s=3000)
    assert found["supported_nodes"] == found["nodes"]
    check_build(found["builds"]["half"], "Half")
    assert found["cpu_s"] <= LONGEST_BUILD_S
    assert found["peak_gb"] <= LARGEST_BUILD_GB
