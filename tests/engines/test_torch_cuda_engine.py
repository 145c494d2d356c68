"""The torch engine for GPUs: on a GPU in host memory here, on a real one where there is one (mark gpu)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from startrack.engines.base import EngineError, ModelSpec
from startrack.engines.cuda.memory import DeviceBuffer
from startrack.engines.cuda.runtime import Cuda
from startrack.engines.cuda.stream import Stream
from startrack.engines.torch_cuda_engine import TorchCudaEngine, half_layers
from startrack.engines.torch_engine import TorchEngine
from startrack.train.models.compact_hourglass import Head
from startrack.train.models.star_hourglass import StarHourglass
from tests.engines.cuda_double import FakeCuda

FIELDS = ("points", "covariance", "score", "presence", "heatmaps")


class HostDevice:
    """torch on the double: its memory is the host's, work waits in the double's stream, a graph repeats it."""

    name = "cpu"

    def __init__(self, api: FakeCuda, stream: Stream) -> None:
        self.api, self.stream = api, stream

    def view(self, buffer: DeviceBuffer) -> Tensor:
        memory = np.frombuffer(self.api.memory(buffer.address, buffer.nbytes), buffer.dtype)
        return torch.from_numpy(memory.reshape(buffer.shape))

    def run(self, work: Callable[[], None]) -> None:
        self.api.calls.append("run")
        self.api.queue(self.stream.handle, work)

    def capture(self, work: Callable[[], None]) -> HostGraph:
        self.api.calls.append("capture")
        return HostGraph(self, work)


class HostGraph:
    def __init__(self, device: HostDevice, work: Callable[[], None]) -> None:
        self.device, self.work = device, work

    def launch(self) -> None:
        self.device.api.calls.append("graph")
        self.device.api.queue(self.device.stream.handle, self.work)

    def close(self) -> None:
        self.device.api.calls.append("close graph")


@pytest.fixture
def api() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def engine(api: FakeCuda, tiny_module: nn.Module, tiny_spec: ModelSpec) -> Iterator[TorchCudaEngine]:
    with make_engine(api, tiny_module, tiny_spec) as engine:
        yield engine
    assert api.leaks == []


def make_engine(api: FakeCuda, module: nn.Module, spec: ModelSpec) -> TorchCudaEngine:
    def open_device(stream: Stream) -> HostDevice:
        return HostDevice(api, stream)

    return TorchCudaEngine(module, spec, max_batch=3, cuda=Cuda(api), open_device=open_device)


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)


def test_half_layers_agree_with_the_float_network(
    engine: TorchCudaEngine, tiny_module: nn.Module, tiny_spec: ModelSpec, crops: np.ndarray
) -> None:
    expected = TorchEngine(tiny_module, tiny_spec)(crops, heatmaps=True)
    for _ in range(2):  # by its own work, then by the graph
        got = engine(crops, heatmaps=True)
        assert np.abs(got.points - expected.points).max() < 0.2
        assert not np.array_equal(got.points, expected.points), "float16 must differ"
        np.testing.assert_allclose(got.presence, expected.presence, atol=5e-3)
        np.testing.assert_allclose(got.score, expected.score, atol=5e-3)
    assert engine(crops).heatmaps is None
    assert next(tiny_module.parameters()).dtype == torch.float32, "the given module stays as it was"


def test_a_graph_serves_each_batch_size_after_the_first_run(
    api: FakeCuda, engine: TorchCudaEngine, crops: np.ndarray
) -> None:
    first = engine(crops)  # 3 + 3 + 1
    assert [call for call in api.calls if call in ("capture", "graph")] == ["capture", "graph", "capture"]
    api.calls.clear()
    second = engine(crops)
    assert [call for call in api.calls if call != "wait"] == ["graph"] * 3
    np.testing.assert_array_equal(first.points, second.points)
    engine.close()
    assert api.calls.count("close graph") == 2


def test_no_crops_give_no_landmarks(engine: TorchCudaEngine, crops: np.ndarray) -> None:
    nothing = engine(crops[:0], heatmaps=True)
    shapes = [getattr(nothing, field).shape for field in FIELDS]
    assert shapes == [(0, 68, 2), (0, 68, 2, 2), (0, 68), (0,), (0, 68, 16, 16)]


def test_wrong_crops_and_a_closed_engine_are_refused(engine: TorchCudaEngine, crops: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"tiny: crops are float32 .* expected uint8 \(B, 64, 64, 3\)"):
        engine(crops.astype(np.float32))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine(crops)


def test_what_fails_in_torch_is_named(api: FakeCuda, tiny_module: nn.Module, tiny_spec: ModelSpec) -> None:
    class Full(nn.Module):
        def forward(self, crops: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory\nand much more")

    with make_engine(api, Full(), tiny_spec) as engine, pytest.raises(EngineError) as caught:
        engine(np.zeros((1, 64, 64, 3), np.uint8))
    assert str(caught.value) == "tiny: torch failed on the GPU: CUDA out of memory"
    assert api.leaks == []


def test_too_little_memory_leaves_nothing_behind(tiny_module: nn.Module, tiny_spec: ModelSpec) -> None:
    api = FakeCuda(memory_bytes=100_000)
    with pytest.raises(EngineError, match="cannot allocate"):
        make_engine(api, tiny_module, tiny_spec)
    assert api.leaks == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_torch_without_a_gpu_is_named(api: FakeCuda, tiny_module: nn.Module, tiny_spec: ModelSpec) -> None:
    with pytest.raises(EngineError, match=r"torch 2\..* finds no NVIDIA GPU"):
        TorchCudaEngine(tiny_module, tiny_spec, cuda=Cuda(api))
    assert api.leaks == []


def test_the_islands_of_a_star_network_stay_float32() -> None:
    torch.manual_seed(3)
    network = StarHourglass(5, [[0, 1], [2, 3]], stacks=2, channels=16, levels=2, input_size=64).eval()
    half = half_layers(network, "cpu")
    inputs: dict[str, torch.dtype] = {}
    for name, layer in half.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, given, made, name=name: inputs.update({name: made.dtype}))
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected, got = network(images), half(images)
    heads = {name for name, layer in half.named_modules() if isinstance(layer, Head)}
    assert {name for name, dtype in inputs.items() if dtype == torch.float32} == heads
    assert set(inputs.values()) == {torch.float16, torch.float32}
    assert {maps.dtype for maps in (*got.heatmaps, *got.point_maps)} == {torch.float32}
    assert (got.landmarks - expected.landmarks).abs().max() < 0.01


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_real_gpu_agrees_with_the_cpu(
    tiny_module: nn.Module, tiny_spec: ModelSpec, crops: np.ndarray, compiled: bool
) -> None:
    expected = TorchEngine(tiny_module, tiny_spec)(crops)
    with TorchCudaEngine(tiny_module, tiny_spec, max_batch=4, compiled=compiled) as engine:
        for _ in range(3):
            got = engine(crops)
            assert np.abs(got.points - expected.points).max() < 0.2
        alone = engine(crops[:1])
    np.testing.assert_allclose(alone.points[0], got.points[0], atol=0.1)


@pytest.mark.gpu
def test_float32_on_a_real_gpu_is_the_cpu_s(tiny_module: nn.Module, tiny_spec: ModelSpec, crops: np.ndarray) -> None:
    expected = TorchEngine(tiny_module, tiny_spec)(crops)
    got = TorchEngine(nn.Sequential(tiny_module), tiny_spec, "cuda")(crops)
    tiny_module.cpu()
    np.testing.assert_allclose(got.points, expected.points, atol=0.01)
