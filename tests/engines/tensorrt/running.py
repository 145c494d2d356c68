"""Engines and contexts in the double of tensorrt: ONNX Runtime computes for the GPU."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.engines.tensorrt.machine import MAGIC, Machine

TYPES = {onnx.TensorProto.FLOAT: "FLOAT", onnx.TensorProto.FLOAT16: "HALF", onnx.TensorProto.UINT8: "UINT8"}
NUMPY = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}


class Running:
    """What a runtime does with a plan of Building."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def plays(self) -> dict[str, Any]:
        """Name in the library → what plays it."""
        return self._engine_plays() | self._context_plays() | (self._rtx_plays() if self._machine.rtx else {})

    def _engine_plays(self) -> dict[str, Any]:
        return {
            "Runtime.__init__": self._machine.start,
            "Runtime.deserialize_cuda_engine": self._deserialize,
            "ICudaEngine.num_io_tensors": lambda engine: len(engine._played_tensors),
            "ICudaEngine.get_tensor_name": lambda engine, index: list(engine._played_tensors)[index],
            "ICudaEngine.get_tensor_shape": lambda engine, name: self._machine.module.Dims(
                engine._played_tensors[name][1]
            ),
            "ICudaEngine.get_tensor_dtype": lambda engine, name: self._machine.module.DataType[
                engine._played_tensors[name][2]
            ],
            "ICudaEngine.get_tensor_mode": lambda engine, name: self._machine.module.TensorIOMode[
                engine._played_tensors[name][0]
            ],
            "ICudaEngine.get_tensor_profile_shape": self._profile_shape,
            "ICudaEngine.device_memory_size_v2": lambda engine: 4096,
            "ICudaEngine.create_execution_context": self._create_context,
            "ICudaEngine.create_engine_inspector": lambda engine: self._machine.new("EngineInspector", engine=engine),
            "EngineInspector.get_engine_information": self._inspect,
        }

    def _deserialize(self, runtime: Any, serialized_engine: bytes) -> Any:
        assert getattr(runtime, "_played_engine_host_code_allowed", False) is False
        if not serialized_engine.startswith(MAGIC):
            self._machine.fail(runtime, "The engine plan file is not valid: magicTag does not match")
            return None
        text, model = serialized_engine[len(MAGIC) :].split(b"\n", 1)
        header = json.loads(text)
        if (
            header["version"] != self._machine.module.__version__
            or self._machine.capability not in header["capabilities"]
        ):
            self._machine.fail(
                runtime, f"expecting library version {self._machine.module.__version__} got {header['version']}"
            )
            return None
        proto = onnx.load_model_from_string(model)
        tensors = {entry.name: ("INPUT", *_shape_and_type(entry)) for entry in proto.graph.input}
        outputs = [entry for entry in proto.graph.output if entry.name in header["outputs"]]
        tensors |= {entry.name: ("OUTPUT", *_shape_and_type(entry)) for entry in outputs}
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return self._machine.new("ICudaEngine", tensors=tensors, header=header, graph=proto.graph, session=session)

    def _profile_shape(self, engine: Any, name: str, profile_index: int) -> list[Any]:
        assert profile_index == 0
        return [self._machine.module.Dims(shape) for shape in engine._played_header["shapes"][name]]

    def _create_context(self, engine: Any, strategy: Any = None) -> Any:
        config = strategy if type(strategy).__name__ == "IRuntimeConfig" else None
        assert (config is not None) == self._machine.rtx, "TensorRT for RTX takes its runtime's settings"
        allocation = config._played_allocation if config else strategy
        assert allocation == self._machine.module.ExecutionContextAllocationStrategy.USER_MANAGED
        return self._machine.new("IExecutionContext", plan=engine, addresses={}, scratch=None, batch=0, config=config)

    def _inspect(self, inspector: Any, format: Any) -> str:
        engine = inspector._played_engine
        assert format == self._machine.module.LayerInformationFormat.JSON
        layers = self._machine.layers.of(
            engine._played_graph,
            known=hasattr(inspector, "_played_execution_context"),
            ignores_half=self._machine.scenario.ignores_half,
        )
        if not engine._played_header["detailed"]:
            return json.dumps({"Layers": [layer["Name"] for layer in layers]})
        if self._machine.scenario.inspector_is_blind:
            layers = layers[-1:]
        key = "Bindings" if self._machine.module.__version__.startswith("10") else "I/O Tensors"
        return json.dumps({"Layers": layers, key: list(engine._played_tensors)})

    def _rtx_plays(self) -> dict[str, Any]:
        return {
            "ICudaEngine.create_runtime_config": lambda engine: self._machine.new("IRuntimeConfig"),
            "IRuntimeConfig.set_execution_context_allocation_strategy": self._set_allocation,
            "IRuntimeConfig.create_runtime_cache": lambda config: self._machine.new("IRuntimeCache", content=b""),
            "IRuntimeConfig.set_runtime_cache": self._set_runtime_cache,
            "IRuntimeCache.deserialize": self._read_runtime_cache,
            "IRuntimeCache.serialize": lambda cache: self._machine.module.IHostMemory(cache._played_content),
        }

    def _set_allocation(self, config: Any, strategy: Any) -> None:
        config._played_allocation = strategy

    def _set_runtime_cache(self, config: Any, cache: Any) -> bool:
        config._played_cache = cache
        return True

    def _read_runtime_cache(self, cache: Any, blob: bytes) -> bool:
        fits = blob.startswith(self._kernels(""))
        cache._played_content = blob if fits else b""
        self._machine.scenario.seen["runtime cache"] = fits
        return fits

    def _kernels(self, name: str) -> bytes:
        return f"kernels of {self._machine.module.__version__} on {self._machine.capability}{name}".encode()

    def _context_plays(self) -> dict[str, Any]:
        return {
            "IExecutionContext.set_device_memory": self._set_scratch,
            "IExecutionContext.set_input_shape": self._set_input_shape,
            "IExecutionContext.set_tensor_address": self._set_address,
            "IExecutionContext.infer_shapes": self._missing,
            "IExecutionContext.execute_async_v3": self._execute,
        }

    def _set_scratch(self, context: Any, memory: int, size: int) -> None:
        self._machine.cuda.memory(memory, size)
        context._played_scratch = (memory, size)

    def _set_input_shape(self, context: Any, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = context._played_plan._played_header["shapes"][name]
        context._played_batch = shape[0]
        return low[0] <= shape[0] <= high[0] and list(shape[1:]) == low[1:]

    def _set_address(self, context: Any, name: str, memory: int) -> bool:
        context._played_addresses[name] = memory
        return name in context._played_plan._played_tensors

    def _missing(self, context: Any) -> list[str]:
        return [name for name in context._played_plan._played_tensors if name not in context._played_addresses]

    def _execute(self, context: Any, stream_handle: int) -> bool:
        assert context._played_scratch[1] >= 4096
        if self._machine.scenario.cannot_run:
            return False
        engine, batch = context._played_plan, context._played_batch
        views = {}
        for name, (_, shape, kind) in engine._played_tensors.items():
            whole = (batch, *shape[1:])
            memory = self._machine.cuda.memory(
                context._played_addresses[name], int(np.prod(whole)) * np.dtype(NUMPY[kind]).itemsize
            )
            views[name] = np.frombuffer(memory, NUMPY[kind]).reshape(whole)

        if self._machine.rtx:  # compiles what it has not
            cache = context._played_config._played_cache
            content = cache._played_content or self._kernels("")
            name = f" batch {batch}".encode()
            cache._played_content = content if name in content else content + name
            self._machine.scenario.seen["graphs"] = context._played_config.cuda_graph_strategy.name

        def work() -> None:
            self._machine.cuda.memory(*context._played_scratch)
            outputs = engine._played_header["outputs"]
            for name, found in zip(
                outputs, engine._played_session.run(outputs, {"crops": views["crops"]}), strict=True
            ):
                views[name][...] = found + (self._machine.scenario.shift_px if name == "points" else 0)

        self._machine.cuda.queue(stream_handle, work)
        return True


def _shape_and_type(entry: onnx.ValueInfoProto) -> tuple[tuple[int, ...], str]:
    """The batch is -1."""
    kind = entry.type.tensor_type
    return tuple(-1 if side.dim_param else side.dim_value for side in kind.shape.dim), TYPES[kind.elem_type]
