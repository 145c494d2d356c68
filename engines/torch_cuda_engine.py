"""A live torch network on an NVIDIA GPU: half convolutions in channels-last order, one CUDA graph per batch size.

Buffers, stream and batching are those of the TensorRT engine (engines/cuda/batch.py), so what runs here on a GPU is
proven for both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from startrack.engines.base import CropArray, Engine, EngineError, LandmarkBatch, ModelSpec, check_crops
from startrack.engines.cuda.batch import BatchRunner, TensorSpec
from startrack.engines.cuda.memory import DeviceBuffer
from startrack.engines.cuda.runtime import Cuda, open_cuda
from startrack.engines.cuda.stream import Launchable, Stream
from startrack.outside import reason

OUTPUTS = ("points", "covariance", "score", "presence")
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""What runs in half; what lies between keeps the type that reaches it."""
WARM_UP = 3
"""Runs before a graph is recorded: cuDNN tries its kernels in the first."""


class TorchDevice(Protocol):
    """Torch's side of a GPU as the engine uses it; the tests' double keeps it in host memory."""

    name: str

    def view(self, buffer: DeviceBuffer) -> Tensor:
        """The buffer's memory as a tensor."""
        ...

    def run(self, work: Callable[[], None]) -> None:
        """Queue torch operations on the runner's stream."""
        ...

    def capture(self, work: Callable[[], None]) -> Launchable:
        """Record them instead."""
        ...


class TorchCudaEngine(Engine):
    """Runs a module that maps (B, S, S, 3) uint8 crops to the five outputs of LandmarkBatch."""

    def __init__(
        self,
        module: nn.Module,
        spec: ModelSpec,
        *,
        max_batch: int = 16,
        compiled: bool = False,
        cuda: Cuda | None = None,
        open_device: Callable[[Stream], TorchDevice] | None = None,
    ) -> None:
        """module: copied, stays as it is. compiled: through torch.compile, which takes minutes for each new batch size
        and needs a C++ compiler. cuda, open_device: in place of GPU 0, for tests. Raises EngineError if there is no
        GPU, or its memory does not do."""
        self._spec = spec
        size, landmarks, cells = spec.input_size, spec.num_landmarks, spec.heatmap_size
        shapes = {
            "points": (landmarks, 2),
            "covariance": (landmarks, 2, 2),
            "score": (landmarks,),
            "presence": (),
            "heatmaps": (landmarks, cells, cells),
        }
        crops = TensorSpec("crops", (size, size, 3), np.dtype(np.uint8))
        outputs = [TensorSpec(name, shape, np.dtype(np.float32)) for name, shape in shapes.items()]
        self._runner: BatchRunner | None = BatchRunner(cuda or open_cuda(), crops, outputs, max_batch)
        try:
            self._device = (open_device or TorchGpu)(self._runner.stream)
            self._module = half_layers(module, self._device.name)
            if compiled:
                self._module.compile(dynamic=False)
            self._crops = self._device.view(self._runner.input.device)
            self._outputs = [self._device.view(self._runner.outputs[name].device) for name in shapes]
            self._runner.set_work(self._enqueue, self._capture)
        except BaseException:
            self._runner.close()
            raise

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine."""
        check_crops(self._spec, crops)
        if self._runner is None:
            raise EngineError(f"{self._spec.name}: the engine is closed")
        try:
            return LandmarkBatch(*self._runner(crops, (*OUTPUTS, "heatmaps") if heatmaps else OUTPUTS))
        except RuntimeError as error:  # torch's, out of memory among them
            raise EngineError(f"{self._spec.name}: torch failed on the GPU: {reason(error)}") from error

    def close(self) -> None:
        """Free buffers and graphs."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
            self._outputs = []  # views of memory that is gone
            del self._module

    def _enqueue(self, count: int) -> None:
        self._device.run(lambda: self._work(count))

    def _capture(self, count: int) -> Launchable:
        for _ in range(WARM_UP - 1):
            self._enqueue(count)
        return self._device.capture(lambda: self._work(count))

    @torch.inference_mode()
    def _work(self, count: int) -> None:
        """The network on the first crops on the GPU, its results into the buffers."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            results = self._module(self._crops[:count])
        for buffer, result in zip(self._outputs, results, strict=True):
            buffer[:count].copy_(result)


def half_layers(module: nn.Module, device: str) -> nn.Module:
    """A copy on the device whose convolutions and linear layers run in float16.

    Each runs under autocast of its own, so that a layer which turns autocast off (the heads of our networks) stays
    float32; and with it what follows from it: norms of heatmaps, attention, decode.
    """
    module = copy.deepcopy(module).to(device).eval()
    # a copy: .to() of a module changes kernels only, the order of a feature map follows from its kernels
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kind = device.split(":")[0]
    for layer in module.modules():
        if not isinstance(layer, LAYERS):
            continue
        if type(layer) in LAYERS:
            layer.half()  # once, not in each run
        cast = torch.autocast(kind, torch.float16, cache_enabled=False)
        layer.forward = cast(layer.forward)  # type: ignore[method-assign]
    return module


class TorchGpu:
    """GPU 0 as torch sees it, on the stream of a BatchRunner."""

    name = "cuda:0"

    def __init__(self, stream: Stream) -> None:
        """Raises EngineError if this torch cannot use the GPU."""
        if not torch.cuda.is_available():
            raise EngineError(f"torch {torch.__version__} finds no NVIDIA GPU; expected a build for CUDA")
        self._stream = torch.cuda.ExternalStream(stream.handle)  # type: ignore[no-untyped-call]

    def view(self, buffer: DeviceBuffer) -> Tensor:
        return torch.as_tensor(buffer, device=self.name)

    def run(self, work: Callable[[], None]) -> None:
        with torch.cuda.stream(self._stream):
            work()

    def capture(self, work: Callable[[], None]) -> Launchable:
        # torch's own recording: its allocator must know that the graph keeps its allocations
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            work()
        return _TorchGraph(self, graph)


class _TorchGraph:
    """A recorded torch graph as the BatchRunner launches it."""

    def __init__(self, gpu: TorchGpu, graph: torch.cuda.CUDAGraph) -> None:
        self._gpu = gpu
        self._graph = graph

    def launch(self) -> None:
        self._gpu.run(self._graph.replay)

    def close(self) -> None:
        self._graph.reset()
