"""Behaviour of the double of tensorrt: a "plan" is the ONNX it was built of, and ONNX Runtime computes for the GPU.

So a whole build and a whole inference run through the engines' own code, with real figures of a real (half) graph, and
with the refusals of a real TensorRT as its documents state them. How a real one chooses kernels, how fast and how exact
it is, nothing here can say.
"""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tests.engines.cuda_double import FakeCuda
from tests.engines.cuda_double import install as install_cuda
from tests.engines.tensorrt.api import load_api
from tests.engines.tensorrt.building import Building
from tests.engines.tensorrt.double import make_double
from tests.engines.tensorrt.layer_table import LayerTable
from tests.engines.tensorrt.machine import Machine, Scenario
from tests.engines.tensorrt.running import Running


class FakeTensorRt(Machine):
    """A machine with one GPU and TensorRT of one major version, or TensorRT for RTX."""

    def __init__(self, library: int | str, scenario: Scenario | None = None, cuda: FakeCuda | None = None) -> None:
        super().__init__(library, scenario, cuda)
        self.layers = LayerTable(rtx=self.rtx)
        self.api = load_api(library)
        plays = Building(self).plays() | Running(self).plays()
        self.module = make_double(self.api, plays, "tensorrt_rtx" if self.rtx else "tensorrt")

    def install(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        """Let `import tensorrt`, or tensorrt_rtx, and cuda-python find the doubles."""
        for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
            monkeypatch.setitem(sys.modules, name, self.module if name == self.module.__name__ else None)
        install_cuda(monkeypatch, self.cuda)
        return self.module
