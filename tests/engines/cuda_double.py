# ruff: noqa: N801, N802, N815 - names are CUDA's
"""A GPU in host memory: the functions of cuda.bindings.runtime that the engines call, under their names and arguments.

Work runs only when its stream is waited for, a capture records instead of running, and what a real GPU would refuse or
get wrong (freed memory, overruns, allocation while capturing) raises here. test_cuda.py compares the names and
arguments with the real package.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Work = Callable[[], None]


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


OK = cudaError_t.cudaSuccess


class Handle:
    """A stream, graph or event of the double; int() gives a number as with cuda-python's own."""

    count = 0

    def __init__(self, kind: str) -> None:
        Handle.count += 1
        self.number, self.kind, self.alive = 1000 + Handle.count, kind, True
        self.queue: list[Work] = []
        self.recording: list[Work] | None = None
        self.time_ms = 0.0

    def __int__(self) -> int:
        return self.number


class FakeCuda:
    """The module cuda.bindings.runtime of a machine with one GPU of `memory_bytes`."""

    cudaError_t, cudaMemcpyKind, cudaStreamCaptureMode = cudaError_t, cudaMemcpyKind, cudaStreamCaptureMode
    cudaStreamNonBlocking = 1

    def __init__(self, *, memory_bytes: int = 1 << 30, capability: tuple[int, int] = (8, 6), gpus: int = 1) -> None:
        self.memory_bytes, self.capability, self.gpus = memory_bytes, capability, gpus
        self.blocks: dict[int, tuple[str, Any]] = {}
        self.handles: dict[int, Handle] = {}
        self.clock_ms = 0.0
        self.calls: list[str] = []
        self.fail_at_wait: cudaError_t = OK

    # --- what the test double of an engine and the tests themselves use

    def queue(self, stream: int, work: Work, duration_ms: float = 1.0) -> None:
        """Work for a stream by its number, as a library's kernels would come in."""

        def run() -> None:
            work()
            self.clock_ms += duration_ms

        self._push(self._find(stream, "stream"), run)

    def memory(self, address: int, nbytes: int) -> ctypes.Array[ctypes.c_uint8]:
        """The memory at an address on the GPU or in pinned memory; fails if it is not all allocated."""
        for start, (_, block) in self.blocks.items():
            if start <= address and address + nbytes <= start + len(block):
                return (ctypes.c_uint8 * nbytes).from_address(address)
        raise AssertionError(f"{nbytes} bytes at {address}: not allocated")

    @property
    def leaks(self) -> list[str]:
        """Kinds of everything that was never freed."""
        alive = [handle.kind for handle in self.handles.values() if handle.alive]
        return sorted([kind for kind, _ in self.blocks.values()] + alive)

    @property
    def used_bytes(self) -> int:
        return sum(len(block) for kind, block in self.blocks.values() if kind == "device")

    # --- device

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return (OK, self.gpus) if self.gpus else (cudaError_t.cudaErrorInsufficientDriver, None)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:
        major, minor = self.capability
        found = SimpleNamespace(name=b"Fake GPU\0\0", major=major, minor=minor, multiProcessorCount=28)
        found.totalGlobalMem = self.memory_bytes
        return OK, found

    def cudaRuntimeGetVersion(self) -> tuple[Any, ...]:
        return OK, 13000

    def cudaDriverGetVersion(self) -> tuple[Any, ...]:
        return OK, 13010

    def cudaGetErrorString(self, error: cudaError_t) -> tuple[Any, ...]:
        return OK, {cudaError_t.cudaErrorMemoryAllocation: b"out of memory"}.get(error, error.name.encode())

    # --- memory

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        assert size > 0
        if any(handle.recording is not None for handle in self.handles.values()):
            return cudaError_t.cudaErrorStreamCaptureInvalidated, None
        if self.used_bytes + size > self.memory_bytes:
            return cudaError_t.cudaErrorMemoryAllocation, None
        return OK, self._allocate("device", size)

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:
        assert size > 0
        return OK, self._allocate("pinned", size)

    def cudaFree(self, devPtr: int) -> tuple[Any, ...]:
        return self._free("device", devPtr)

    def cudaFreeHost(self, ptr: int) -> tuple[Any, ...]:
        return self._free("pinned", ptr)

    def cudaMemcpyAsync(self, dst: int, src: int, count: int, kind: cudaMemcpyKind, stream: Handle) -> tuple[Any, ...]:
        places = {cudaMemcpyKind.cudaMemcpyHostToDevice: ("device", "pinned")}.get(kind, ("pinned", "device"))
        assert (self._place(dst), self._place(src)) == places
        self._push(stream, lambda: ctypes.memmove(self.memory(dst, count), self.memory(src, count), count))
        return (OK,)

    # --- streams, graphs, events

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        assert flags == self.cudaStreamNonBlocking
        return OK, self._handle("stream")

    def cudaStreamDestroy(self, stream: Handle) -> tuple[Any, ...]:
        return self._destroy(stream)

    def cudaStreamSynchronize(self, stream: Handle) -> tuple[Any, ...]:
        assert stream.recording is None, "waiting while capturing"
        self.calls.append("wait")
        self._drain(stream)
        return (self.fail_at_wait,)

    def cudaStreamBeginCapture(self, stream: Handle, mode: cudaStreamCaptureMode) -> tuple[Any, ...]:
        assert stream.recording is None
        assert mode == cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        stream.recording = []
        return (OK,)

    def cudaStreamEndCapture(self, stream: Handle) -> tuple[Any, ...]:
        assert stream.recording is not None
        graph = self._handle("graph")
        graph.queue, stream.recording = stream.recording, None
        return OK, graph

    def cudaGraphInstantiate(self, graph: Handle, flags: int) -> tuple[Any, ...]:
        assert flags == 0
        executable = self._handle("executable graph")
        executable.queue = list(graph.queue)
        return OK, executable

    def cudaGraphLaunch(self, graphExec: Handle, stream: Handle) -> tuple[Any, ...]:
        assert graphExec.alive
        self.calls.append("graph")
        for work in graphExec.queue:
            self._push(stream, work)
        return (OK,)

    def cudaGraphDestroy(self, graph: Handle) -> tuple[Any, ...]:
        return self._destroy(graph)

    def cudaGraphExecDestroy(self, graphExec: Handle) -> tuple[Any, ...]:
        return self._destroy(graphExec)

    def cudaEventCreate(self) -> tuple[Any, ...]:
        return OK, self._handle("event")

    def cudaEventRecord(self, event: Handle, stream: Handle) -> tuple[Any, ...]:
        def note() -> None:
            event.time_ms = self.clock_ms

        self._push(stream, note)
        event.queue = stream.queue
        return (OK,)

    def cudaEventSynchronize(self, event: Handle) -> tuple[Any, ...]:
        while event.queue:
            event.queue.pop(0)()
        return (OK,)

    def cudaEventElapsedTime(self, start: Handle, end: Handle) -> tuple[Any, ...]:
        return OK, end.time_ms - start.time_ms

    def cudaEventDestroy(self, event: Handle) -> tuple[Any, ...]:
        return self._destroy(event)

    def _handle(self, kind: str) -> Handle:
        handle = Handle(kind)
        self.handles[int(handle)] = handle
        return handle

    def _find(self, number: int, kind: str) -> Handle:
        handle = self.handles[number]
        assert handle.kind == kind
        return handle

    def _push(self, stream: Handle, work: Work) -> None:
        assert stream.kind == "stream"
        assert stream.alive
        (stream.queue if stream.recording is None else stream.recording).append(work)

    def _drain(self, stream: Handle) -> None:
        while stream.queue:
            stream.queue.pop(0)()

    def _destroy(self, handle: Handle) -> tuple[Any, ...]:
        assert handle.alive, f"{handle.kind} freed twice"
        if handle.kind == "stream":
            self._drain(handle)
        handle.alive = False
        return (OK,)

    def _allocate(self, place: str, size: int) -> int:
        block = (ctypes.c_uint8 * size)(*([0xAB] * min(size, 64)))
        self.blocks[ctypes.addressof(block)] = place, block
        return ctypes.addressof(block)

    def _free(self, place: str, address: int) -> tuple[Any, ...]:
        found, _ = self.blocks.pop(address)
        assert found == place
        return (OK,)

    def _place(self, address: int) -> str:
        return next(
            (kind for start, (kind, block) in self.blocks.items() if start <= address < start + len(block)), "unknown"
        )


def install(monkeypatch: pytest.MonkeyPatch, cuda: FakeCuda) -> None:
    """Let `from cuda.bindings import runtime` find the double."""
    package, bindings = ModuleType("cuda"), ModuleType("cuda.bindings")
    package.bindings, bindings.runtime = bindings, cuda  # type: ignore[attr-defined]
    for name, module in {"cuda": package, "cuda.bindings": bindings, "cuda.bindings.runtime": cuda}.items():
        monkeypatch.setitem(sys.modules, name, module)
