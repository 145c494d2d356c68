"""A CUDA stream: copies, waiting, timing, and work captured once as a graph and launched as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from startrack.engines.base import EngineError
from startrack.engines.cuda.memory import DeviceBuffer, PinnedBuffer
from startrack.engines.cuda.runtime import Cuda


class Launchable(Protocol):
    """Work of fixed shape and fixed addresses that can be launched again and again."""

    def launch(self) -> None: ...

    def close(self) -> None: ...


class Stream:
    """A stream of its own: work on the default stream would wait for everything else on the GPU."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        created = cuda.api.cudaStreamCreateWithFlags(cuda.api.cudaStreamNonBlocking)
        self._stream: Any | None = cuda.check("create a CUDA stream", created)

    @property
    def handle(self) -> int:
        """The cudaStream_t as a number; torch.cuda.ExternalStream(stream.handle) is the same stream in torch."""
        return int(self._open())

    def upload(self, source: PinnedBuffer, target: DeviceBuffer, nbytes: int) -> None:
        """Queue a copy of the first nbytes host → GPU."""
        self._copy(target.address, source.address, nbytes, "cudaMemcpyHostToDevice")

    def download(self, source: DeviceBuffer, target: PinnedBuffer, nbytes: int) -> None:
        """Queue a copy of the first nbytes GPU → host; valid after wait."""
        self._copy(target.address, source.address, nbytes, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Block until all queued work is done. Raises EngineError if any of it failed."""
        self.cuda.check("run on the GPU", self.cuda.api.cudaStreamSynchronize(self._open()))

    def capture(self, enqueue: Callable[[], None]) -> CudaGraph:
        """Record what enqueue puts into this stream, without running it. Raises EngineError if it cannot be recorded,
        and passes on what enqueue raises."""
        api, stream = self.cuda.api, self._open()
        # other threads may allocate meanwhile: only this thread's unsafe calls break the capture
        mode = api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.cuda.check("begin a CUDA graph", api.cudaStreamBeginCapture(stream, mode))
        try:
            enqueue()
        except BaseException:
            _, graph = api.cudaStreamEndCapture(stream)
            if graph is not None and int(graph):
                api.cudaGraphDestroy(graph)
            raise
        graph = self.cuda.check("record a CUDA graph", api.cudaStreamEndCapture(stream))
        try:
            executable = self.cuda.check("make a CUDA graph", api.cudaGraphInstantiate(graph, 0))
        finally:
            self.cuda.check("free a CUDA graph", api.cudaGraphDestroy(graph))
        return CudaGraph(self, executable)

    def launch(self, executable: Any) -> None:
        """Queue an instantiated graph."""
        self.cuda.check("launch a CUDA graph", self.cuda.api.cudaGraphLaunch(executable, self._open()))

    def record(self, event: Any) -> None:
        """Queue a mark whose time can be read."""
        self.cuda.check("record an event", self.cuda.api.cudaEventRecord(event, self._open()))

    def close(self) -> None:
        """Wait and free the stream. Safe to call twice."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self.cuda.check("free a CUDA stream", self.cuda.api.cudaStreamDestroy(stream))

    def _copy(self, target: int, source: int, nbytes: int, kind: str) -> None:
        api = self.cuda.api
        answer = api.cudaMemcpyAsync(target, source, nbytes, getattr(api.cudaMemcpyKind, kind), self._open())
        self.cuda.check(f"copy {nbytes} bytes ({kind})", answer)

    def _open(self) -> Any:
        if self._stream is None:
            raise EngineError("the CUDA stream is closed")
        return self._stream


class CudaGraph:
    """Work recorded by Stream.capture."""

    def __init__(self, stream: Stream, executable: Any) -> None:
        self._stream = stream
        self._executable: Any | None = executable

    def launch(self) -> None:
        """Queue it on the stream it was recorded from."""
        if self._executable is None:
            raise EngineError("the CUDA graph is closed")
        self._stream.launch(self._executable)

    def close(self) -> None:
        """Safe to call twice."""
        if self._executable is not None:
            executable, self._executable = self._executable, None
            cuda = self._stream.cuda
            cuda.check("free a CUDA graph", cuda.api.cudaGraphExecDestroy(executable))


class Timer:
    """Milliseconds that queued work takes on the GPU, by two events around it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        cuda = stream.cuda
        self._events = [cuda.check("create an event", cuda.api.cudaEventCreate()) for _ in range(2)]

    def measure_ms(self, enqueue: Callable[[], None]) -> float:
        """Queue the work, wait for it and return its time on the GPU."""
        cuda, (start, end) = self._stream.cuda, self._events
        self._stream.record(start)
        enqueue()
        self._stream.record(end)
        cuda.check("wait for an event", cuda.api.cudaEventSynchronize(end))
        return float(cuda.check("read a time", cuda.api.cudaEventElapsedTime(start, end)))

    def close(self) -> None:
        """Safe to call twice."""
        cuda = self._stream.cuda
        while self._events:
            cuda.check("free an event", cuda.api.cudaEventDestroy(self._events.pop()))
