"""TensorRT for RTX on a GPU: kernels are compiled there at the first run, and kept in a file next to the plan.

Nothing here has run on a GPU; names and arguments are those of NVIDIA's own Python bindings.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from startrack.whole_file import write_whole

LARGEST_CACHE = 1 << 28
"""Bytes of a kept file that is read; a plan's kernels take some tens of megabytes."""
log = logging.getLogger("startrack.tensorrt")


def cache_path(plan: Path) -> Path:
    """star.plan → star.plan.cache."""
    return plan.with_name(f"{plan.name}.cache")


class RuntimeSettings:
    """How contexts of an engine compile and run: all kernels at once, kept ones first, the library's own CUDA graphs.

    The library records a graph again when a kernel is exchanged, which one recorded outside would not notice.
    """

    def __init__(self, rtx: Any, engine: Any, path: Path, *, graphs: bool) -> None:
        """rtx: the module of open_tensorrt. engine: its ICudaEngine. path: of cache_path; read where it is there."""
        self._engine, self._path = engine, path
        self._config = engine.create_runtime_config()
        self._config.set_execution_context_allocation_strategy(rtx.ExecutionContextAllocationStrategy.USER_MANAGED)
        # the first run of a batch size then waits for its kernels, instead of taking slower ones for a while
        self._config.dynamic_shapes_kernel_specialization_strategy = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
        strategy = rtx.CudaGraphStrategy
        self._config.cuda_graph_strategy = strategy.WHOLE_GRAPH_CAPTURE if graphs else strategy.DISABLED
        self._cache = self._config.create_runtime_cache()
        self._kept = self._read()
        self._config.set_runtime_cache(self._cache)

    def create_context(self) -> Any:
        """A new IExecutionContext, None if the library makes none."""
        return self._engine.create_execution_context(self._config)

    def save(self) -> None:
        """Keep the kernels compiled since it was opened; a folder that cannot be written to costs the next start
        only."""
        content = bytes(self._cache.serialize())
        if content == self._kept:
            return
        try:
            write_whole(self._path, content)
        except OSError as error:
            log.warning("%s: compiled kernels cannot be kept: %s", self._path, error.strerror)
            return
        self._kept = content

    def _read(self) -> bytes:
        """The cache's content now: the file's, unless it is another machine's, damaged, too large or not there."""
        try:
            content = self._path.read_bytes() if self._path.stat().st_size <= LARGEST_CACHE else b""
        except OSError:
            content = b""
        if content and self._cache.deserialize(content):
            return content
        return b""
