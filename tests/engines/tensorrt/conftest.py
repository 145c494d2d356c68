"""A plan of the tiny network, built by the engines' own code on the double."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Protocol

import pytest
from rich.console import Console

from startrack.engines.cuda.runtime import Cuda
from startrack.engines.plans.build import BuildOptions, build_plan
from startrack.engines.plans.graph import PlanGraph, plan_graph
from startrack.engines.plans.library import runtime_of
from startrack.engines.plans.measure import Machine, write_plan
from tests.engines.bindings import RTX
from tests.engines.tensorrt.behaviour import FakeTensorRt

OPTIONS = BuildOptions(min_batch=1, opt_batch=2, max_batch=4, workspace_mb=64, optimisation_level=2)


@pytest.fixture(params=[10, 11, RTX], ids=["tensorrt10", "tensorrt11", "rtx"])
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    """A machine with a GPU and one of the libraries; `import tensorrt` or tensorrt_rtx, and cuda-python find it."""
    machine = FakeTensorRt(request.param)
    machine.install(monkeypatch)
    return machine


@pytest.fixture(scope="session")
def half_tiny(tiny_onnx: Path) -> PlanGraph:
    return plan_graph(tiny_onnx, half=True)


class MakePlan(Protocol):
    def __call__(self, name: str = "tiny.plan", options: BuildOptions = OPTIONS) -> Path: ...


@pytest.fixture
def make_plan(fake: FakeTensorRt, half_tiny: PlanGraph, tmp_path: Path) -> MakePlan:
    """A function that builds and writes a plan, without measuring it."""

    def make(name: str = "tiny.plan", options: BuildOptions = OPTIONS) -> Path:
        built = build_plan(fake.module, half_tiny, options, timings=None, console=Console(file=io.StringIO()))
        machine = Machine(runtime_of(fake.module), fake.module.__version__, Cuda(fake.cuda).gpu())
        write_plan(tmp_path / name, built, half_tiny, options=options, machine=machine)
        return tmp_path / name

    return make
