"""Batches through work on the GPU: pinned staging, fixed device buffers, one stream, a graph per batch size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import EngineError
from startrack.engines.cuda.memory import DeviceBuffer, PinnedBuffer
from startrack.engines.cuda.runtime import Cuda
from startrack.engines.cuda.stream import Launchable, Stream


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or an output of a model."""

    name: str
    shape: tuple[int, ...]
    """Of one item, without the batch."""
    dtype: np.dtype[Any]


class BatchTensor:
    """Room for max_batch items of one tensor, on the GPU and in pinned host memory."""

    def __init__(self, cuda: Cuda, spec: TensorSpec, max_batch: int, stack: ExitStack) -> None:
        """stack: frees the memory when it is closed."""
        self.spec = spec
        self.device = DeviceBuffer(cuda, (max_batch, *spec.shape), spec.dtype)
        stack.callback(self.device.close)
        self.pinned = PinnedBuffer(cuda, (max_batch, *spec.shape), spec.dtype)
        stack.callback(self.pinned.close)
        self.item_bytes = self.device.nbytes // max_batch


class BatchRunner:
    """Runs `enqueue` on batches of any size; everything it needs is allocated once.

    enqueue(count) queues the model on the stream for the first `count` items of the device buffers, and queues
    nothing else; capture(count) returns the same work as a graph, and is called after enqueue(count) has run once,
    since a first run may still allocate and choose kernels. Not for several threads at once.
    """

    def __init__(self, cuda: Cuda, item: TensorSpec, outputs: Iterable[TensorSpec], max_batch: int) -> None:
        """item: the model's only input. Raises EngineError if memory is lacking."""
        if max_batch < 1:
            raise EngineError(f"{item.name}: largest batch {max_batch}; expected 1 or more")
        self.max_batch = max_batch
        self._graphs: dict[int, Launchable] = {}
        self._enqueue: Callable[[int], None] | None = None
        self._capture: Callable[[int], Launchable] | None = None
        with ExitStack() as stack:
            self.stream = Stream(cuda)
            stack.callback(self.stream.close)
            self.input = BatchTensor(cuda, item, max_batch, stack)
            self.outputs = {spec.name: BatchTensor(cuda, spec, max_batch, stack) for spec in outputs}
            self._stack = stack.pop_all()

    def set_work(self, enqueue: Callable[[int], None], capture: Callable[[int], Launchable] | None) -> None:
        """What to run, made by the engine once the buffers have their addresses. capture: None for no graphs."""
        self._enqueue, self._capture = enqueue, capture

    def __call__(self, items: NDArray[Any], names: Sequence[str]) -> list[NDArray[Any]]:
        """The named outputs of (B, …) items of the input's shape and type, as arrays of their own; B may be 0 or
        larger than max_batch. Raises EngineError when the GPU fails."""
        outputs = [
            np.empty((len(items), *self.outputs[name].spec.shape), self.outputs[name].spec.dtype) for name in names
        ]
        for start in range(0, len(items), self.max_batch):
            part = slice(start, start + self.max_batch)
            count = self._run(items[part], names)
            for name, whole in zip(names, outputs, strict=True):
                whole[part] = self.outputs[name].pinned.array[:count]
        return outputs

    def launch(self, count: int) -> None:
        """Queue the model for the first `count` items that lie on the GPU: as a graph where there is one."""
        assert self._enqueue is not None, "set_work comes first"
        if count in self._graphs:
            self._graphs[count].launch()
            return
        self._enqueue(count)
        if self._capture is not None:
            self.stream.wait()
            self._graphs[count] = self._capture(count)

    def close(self) -> None:
        """Free everything. Safe to call twice."""
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()
        self._stack.close()

    def _run(self, items: NDArray[Any], names: Sequence[str]) -> int:
        """Results of at most max_batch items, left in the outputs' pinned memory."""
        count, given = len(items), self.input
        if items.shape[1:] != given.spec.shape or items.dtype != given.spec.dtype:
            raise EngineError(f"{given.spec.name}: {items.dtype} {items.shape}, expected {given.spec}")
        given.pinned.array[:count] = items
        self.stream.upload(given.pinned, given.device, count * given.item_bytes)
        self.launch(count)
        for name in names:
            output = self.outputs[name]
            self.stream.download(output.device, output.pinned, count * output.item_bytes)
        self.stream.wait()
        return count
