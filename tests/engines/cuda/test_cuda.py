"""The CUDA classes on a GPU in host memory; the double's own names against the real cuda-python where it is found."""

from __future__ import annotations

import inspect
import json
import sys

import numpy as np
import pytest

from startrack.engines.base import EngineError
from startrack.engines.cuda.batch import BatchRunner, TensorSpec
from startrack.engines.cuda.memory import DeviceBuffer, PinnedBuffer
from startrack.engines.cuda.runtime import Cuda, open_cuda
from startrack.engines.cuda.stream import Stream, Timer
from tests.engines import bindings
from tests.engines.cuda_double import FakeCuda, cudaError_t, install

ITEM = TensorSpec("numbers", (3,), np.dtype(np.uint8))
DOUBLED = TensorSpec("doubled", (3,), np.dtype(np.float32))
TOTAL = TensorSpec("total", (), np.dtype(np.float32))


@pytest.fixture
def api() -> FakeCuda:
    return FakeCuda()


def make_runner(api: FakeCuda, *, max_batch: int = 4, graphs: bool = True) -> BatchRunner:
    """Work on the double's GPU: twice each number, and their sum."""
    runner = BatchRunner(Cuda(api), ITEM, (DOUBLED, TOTAL), max_batch)

    def enqueue(count: int) -> None:
        def work() -> None:
            given = np.frombuffer(api.memory(runner.input.device.address, 3 * count), np.uint8).reshape(count, 3)
            doubled = np.frombuffer(api.memory(runner.outputs["doubled"].device.address, 12 * count), np.float32)
            total = np.frombuffer(api.memory(runner.outputs["total"].device.address, 4 * count), np.float32)
            doubled[:], total[:] = 2.0 * given.ravel(), given.sum(axis=1)

        api.calls.append(f"enqueue {count}")
        api.queue(runner.stream.handle, work)

    runner.set_work(enqueue, (lambda count: runner.stream.capture(lambda: enqueue(count))) if graphs else None)
    return runner


@pytest.mark.parametrize("graphs", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_batches_of_any_size_come_back_whole(api: FakeCuda, count: int, graphs: bool) -> None:
    runner = make_runner(api, graphs=graphs)
    items = np.random.default_rng(count).integers(0, 256, (count, 3), dtype=np.uint8)
    for _ in range(2):
        doubled, total = runner(items, ["doubled", "total"])
        np.testing.assert_array_equal(doubled, 2.0 * items)
        np.testing.assert_array_equal(total, items.sum(axis=1))
    earlier = doubled.copy()
    runner(255 - items, ["doubled"])
    np.testing.assert_array_equal(doubled, earlier, err_msg="a result must not change with the next run")
    runner.close()
    runner.close()
    assert api.leaks == []


def test_a_graph_is_recorded_once_for_each_batch_size(api: FakeCuda) -> None:
    runner = make_runner(api)
    items = np.ones((9, 3), np.uint8)
    for _ in range(3):
        runner(items, ["total"])  # 4 + 4 + 1
    # once to warm up and once to record, for either size
    assert [call for call in api.calls if call.startswith("enqueue")] == ["enqueue 4"] * 2 + ["enqueue 1"] * 2
    assert api.calls.count("graph") == 3 * 3 - 2
    runner.close()


def test_wrong_items_are_refused(api: FakeCuda) -> None:
    runner = make_runner(api)
    with pytest.raises(EngineError, match=r"numbers: float64 \(2, 3\), expected"):
        runner(np.zeros((2, 3)), ["total"])
    with pytest.raises(EngineError, match=r"uint8 \(2, 4\)"):
        runner(np.zeros((2, 4), np.uint8), ["total"])
    runner.close()


def test_failure_on_the_gpu_is_an_engine_error(api: FakeCuda) -> None:
    runner = make_runner(api)
    api.fail_at_wait = cudaError_t.cudaErrorInvalidValue
    with pytest.raises(EngineError, match="cannot run on the GPU: CUDA error 1: cudaErrorInvalidValue"):
        runner(np.zeros((2, 3), np.uint8), ["total"])
    runner.close()
    assert api.leaks == []


def test_full_memory_leaves_nothing_behind() -> None:
    api = FakeCuda(memory_bytes=40)
    with pytest.raises(EngineError, match=r"cannot allocate 0\.0 MB on the GPU: CUDA error 2: out of memory"):
        make_runner(api)
    assert api.leaks == []


def test_a_capture_that_fails_leaves_the_stream_usable(api: FakeCuda) -> None:
    cuda = Cuda(api)
    stream = Stream(cuda)

    def allocate() -> None:
        DeviceBuffer(cuda, (4,), np.float32)

    with pytest.raises(EngineError, match="cannot allocate"):
        stream.capture(allocate)
    api.queue(stream.handle, lambda: api.calls.append("ran"))
    stream.wait()
    assert "ran" in api.calls
    stream.close()
    assert api.leaks == []


def test_a_captured_graph_runs_only_when_launched(api: FakeCuda) -> None:
    stream = Stream(Cuda(api))
    graph = stream.capture(lambda: api.queue(stream.handle, lambda: api.calls.append("ran")))
    stream.wait()
    assert "ran" not in api.calls
    graph.launch()
    graph.launch()
    stream.wait()
    assert api.calls.count("ran") == 2
    graph.close()
    with pytest.raises(EngineError, match="graph is closed"):
        graph.launch()
    stream.close()
    with pytest.raises(EngineError, match="stream is closed"):
        stream.wait()
    assert api.leaks == []


def test_timer_reads_the_gpu_s_clock(api: FakeCuda) -> None:
    stream = Stream(Cuda(api))
    timer = Timer(stream)
    assert timer.measure_ms(lambda: api.queue(stream.handle, lambda: None, 2.5)) == 2.5
    timer.close()
    stream.close()
    assert api.leaks == []


def test_buffers_are_arrays_at_fixed_addresses(api: FakeCuda) -> None:
    cuda = Cuda(api)
    pinned, device = PinnedBuffer(cuda, (2, 3), np.float32), DeviceBuffer(cuda, (2, 3), np.float32)
    pinned.array[:] = np.arange(6).reshape(2, 3)
    assert np.frombuffer(api.memory(pinned.address, 24), np.float32).tolist() == [0, 1, 2, 3, 4, 5]
    view = device.__cuda_array_interface__
    assert (view["shape"], view["typestr"], view["data"]) == ((2, 3), "<f4", (device.address, False))
    pinned.close()
    device.close()
    device.close()
    assert api.leaks == []


def test_the_gpu_is_named(monkeypatch: pytest.MonkeyPatch, api: FakeCuda) -> None:
    install(monkeypatch, api)
    gpu = open_cuda().gpu()
    assert (gpu.name, gpu.compute_capability, gpu.cuda_version, gpu.driver_version) == (
        "Fake GPU",
        "8.6",
        "13.0",
        "13.1",
    )


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(EngineError, match=r"cuda-python is not installed; expected: pip install 'startrack\[gpu\]'"):
        open_cuda()
    install(monkeypatch, FakeCuda(gpus=0))
    with pytest.raises(EngineError, match="cannot use a GPU: CUDA error 35"):
        open_cuda()
    without_driver = FakeCuda()
    install(monkeypatch, without_driver)

    def no_library() -> None:
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    monkeypatch.setattr(without_driver, "cudaGetDeviceCount", no_library)
    with pytest.raises(EngineError, match="no NVIDIA driver"):
        open_cuda()


DESCRIBE = """
import json, sys
from cuda.bindings import runtime
for name in json.loads(sys.argv[1]):
    print(json.dumps([name, (getattr(runtime, name).__doc__ or "").split("\\n")[0]]))
enums = ["cudaError_t", "cudaMemcpyKind", "cudaStreamCaptureMode"]
print(json.dumps({name: {member.name: int(member) for member in getattr(runtime, name)} for name in enums}))
properties = runtime.cudaDeviceProp()
assert isinstance(properties.name, bytes)
print(all(hasattr(properties, name) for name in ("name", "major", "minor", "multiProcessorCount", "totalGlobalMem")))
print(runtime.cudaStreamNonBlocking)
"""


def _argument(text: str) -> str:
    """ "unsigned int flags" and "mode: cudaStreamCaptureMode" → flags, mode."""
    return text.split(":")[0].split()[-1]


@pytest.mark.parametrize("major", bindings.CUDA)
def test_double_has_the_names_and_arguments_of_cuda_python(major: int) -> None:
    folder = bindings.find(bindings.CUDA[major])
    functions = {
        name: value for name, value in vars(FakeCuda).items() if inspect.isfunction(value) and name[:4] == "cuda"
    }
    *found, enums, properties, non_blocking = bindings.run(folder, DESCRIBE, json.dumps(list(functions))).splitlines()
    for name, signature in map(json.loads, found):
        assert signature.startswith(f"{name}("), signature
        arguments = [_argument(part) for part in signature[len(name) + 1 : -1].split(",") if part]
        assert list(inspect.signature(functions[name]).parameters)[1:] == arguments
    for name, members in json.loads(enums).items():
        ours = {member.name: int(member) for member in getattr(FakeCuda, name)}
        assert ours.items() <= members.items()
    assert (properties, int(non_blocking)) == ("True", FakeCuda.cudaStreamNonBlocking)
    assert "cudaMemcpyAsync" in functions


WITHOUT_DRIVER = """
from startrack.engines.base import EngineError
from startrack.engines.cuda.memory import DeviceBuffer, PinnedBuffer
from startrack.engines.cuda.runtime import Cuda, open_cuda
from startrack.engines.cuda.stream import Stream
from cuda.bindings import runtime
cuda = Cuda(runtime)
for action in (
    open_cuda,
    lambda: DeviceBuffer(cuda, (4,), "float32"),
    lambda: PinnedBuffer(cuda, (4,), "float32"),
    lambda: Stream(cuda),
):
    try:
        action()
        print("worked")
    except EngineError as error:
        print(f"{type(error).__name__}: {error}")
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.parametrize("major", bindings.CUDA)
def test_the_real_package_takes_our_calls(major: int) -> None:
    """Where there is no driver, each is answered by an error of CUDA's, not by one of Python's."""
    lines = bindings.run(bindings.find(bindings.CUDA[major]), WITHOUT_DRIVER).splitlines()
    if lines == ["worked"] * 4:
        return
    assert lines[0].startswith("UnsuitableError: cannot use a GPU")
    # 12 raises an error of its own where it finds no libcuda
    assert all("EngineError: cannot" in line or "libcuda" in line or "cuInit" in line for line in lines[1:])
