"""TensorRT or TensorRT for RTX on an NVIDIA GPU: a plan of build-engine, a CUDA graph per batch size, no torch."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from startrack.engines.base import CropArray, Engine, EngineError, FloatArray, LandmarkBatch, ModelSpec, check_crops
from startrack.engines.cuda.batch import BatchRunner
from startrack.engines.cuda.memory import DeviceBuffer
from startrack.engines.cuda.runtime import open_cuda
from startrack.engines.cuda.stream import CudaGraph, Timer
from startrack.engines.plans.facts import INPUT, PlanFacts
from startrack.engines.plans.plan import OpenPlan, open_plan
from startrack.engines.plans.runtime_cache import RuntimeSettings, cache_path

OUTPUTS = ("points", "covariance", "score", "presence")
"""Names of the plan's outputs, those of LandmarkBatch."""


class TensorRtEngine(Engine):
    """An engine for .plan files of startrack build-engine, on GPU 0.

    Each batch size has an execution context of its own: shapes and addresses are set once, so that a recorded graph
    stays valid. They share their scratch memory, since one stream runs them one after the other.
    """

    def __init__(self, path: Path, device: str = "auto", *, graphs: bool = True) -> None:
        """graphs: record a CUDA graph for each batch size.

        TensorRT for RTX compiles kernels at the first run of a size, and keeps them next to the plan when the engine is
        closed (engines.plans.runtime_cache). Raises UnsuitableError if this machine cannot run the plan, EngineError if
        the file is damaged or memory is lacking.
        """
        if device not in ("auto", "cuda", "tensorrt"):
            raise EngineError(f"{path.name}: a TensorRT plan runs on an NVIDIA GPU, not on {device!r}; expected cuda")
        cuda = open_cuda()
        plan = open_plan(path, cuda)
        self._plan: OpenPlan | None = plan
        self._trt = plan.trt
        self._spec, self._facts = plan.spec, plan.facts
        self._contexts: dict[int, Any] = {}
        with ExitStack() as stack:  # is undone from the last to the first: graphs, contexts, the memory that both use
            self._scratch = DeviceBuffer(cuda, (plan.engine.device_memory_size_v2,), np.uint8)
            stack.callback(self._scratch.close)
            stack.callback(self._contexts.clear)
            self._settings = self._rtx_settings(path, graphs)
            if self._settings:
                stack.callback(self._settings.save)
            self._runner = BatchRunner(cuda, plan.item, plan.outputs, plan.max_batch)
            stack.callback(self._runner.close)
            self._timer = Timer(self._runner.stream)
            stack.callback(self._timer.close)
            self._stack = stack.pop_all()
        # TensorRT for RTX records graphs itself
        self._runner.set_work(self._enqueue, self._capture if graphs and self._settings is None else None)

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def facts(self) -> PlanFacts:
        """Versions, GPUs and settings that the plan was built for and with."""
        return self._facts

    @property
    def device_memory_bytes(self) -> int:
        """Scratch memory of the plan on the GPU, without weights and the tensors of a batch."""
        return self._scratch.nbytes

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine; plans have no heatmaps."""
        check_crops(self.spec, crops)
        self._open()
        if heatmaps:
            raise EngineError(f"{self.spec.name}: a TensorRT plan gives no heatmaps; expected a .onnx model for them")
        outputs: list[FloatArray] = [array.astype(np.float32, copy=False) for array in self._runner(crops, OUTPUTS)]
        return LandmarkBatch(*outputs)

    def inspect(self) -> str:
        """TensorRT's description of each layer, as JSON."""
        plan = self._open()
        inspector = plan.engine.create_engine_inspector()
        # without a context of known shapes the inspector omits the tensors' types
        inspector.execution_context = self._context(plan.min_batch)
        return str(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))

    def gpu_ms(self, count: int) -> float:
        """Time on the GPU of one run on `count` faces that are there already; the first run of a size takes longer."""
        self._open()
        return self._timer.measure_ms(lambda: self._runner.launch(count))

    def close(self) -> None:
        """Free everything. Safe to call twice."""
        self._stack.close()
        self._plan = None

    def _open(self) -> OpenPlan:
        if self._plan is None:
            raise EngineError(f"{self.spec.name}: the engine is closed")
        return self._plan

    def _context(self, count: int) -> Any:
        """The execution context of a batch size, its shapes and addresses set."""
        plan = self._open()
        if count not in self._contexts:
            context = self._new_context(plan)
            if context is None:
                raise EngineError(f"{self.spec.name}: TensorRT makes no context: {plan.messages.to_text()}")
            context.set_device_memory(self._scratch.address, self._scratch.nbytes)
            runner = self._runner
            buffers = {INPUT: runner.input, **runner.outputs}
            done = [context.set_input_shape(INPUT, (count, *runner.input.spec.shape))]
            done += [context.set_tensor_address(name, buffer.device.address) for name, buffer in buffers.items()]
            if not all(done) or context.infer_shapes():
                raise EngineError(f"{self.spec.name}: no batch of {count}: {plan.messages.to_text()}")
            self._contexts[count] = context
        return self._contexts[count]

    def _new_context(self, plan: OpenPlan) -> Any:
        if self._settings:
            return self._settings.create_context()
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return plan.engine.create_execution_context(strategy)

    def _rtx_settings(self, path: Path, graphs: bool) -> RuntimeSettings | None:
        """Of TensorRT for RTX; None with TensorRT, which knows no such thing."""
        if self._facts.runtime != "tensorrt-rtx":
            return None
        return RuntimeSettings(self._trt, self._open().engine, cache_path(path), graphs=graphs)

    def _enqueue(self, count: int) -> None:
        plan = self._open()
        # a profile may begin above 1; the values of the further items do not matter
        context = self._context(max(count, plan.min_batch))
        if not context.execute_async_v3(self._runner.stream.handle):
            raise EngineError(f"{self.spec.name}: TensorRT cannot run: {plan.messages.to_text()}")

    def _capture(self, count: int) -> CudaGraph:
        return self._runner.stream.capture(lambda: self._enqueue(count))
