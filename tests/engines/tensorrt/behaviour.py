"""What the double of tensorrt does: a "plan" is the ONNX it was built of, and ONNX Runtime computes in the GPU's place.

So a whole build and a whole inference run through the engines' own code, with real figures of a real (half) graph, and
with the refusals of a real TensorRT as its documents state them. How a real one chooses kernels, how fast and how exact
it is, nothing here can say.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.engines.cuda_double import FakeCuda
from tests.engines.cuda_double import install as install_cuda
from tests.engines.tensorrt.api import load_api
from tests.engines.tensorrt.double import make_double

MAGIC = b"PLAN OF THE DOUBLE\n"
PHASES = ("Building engine", "Tactic timing")
STEPS = 3
TYPES = {onnx.TensorProto.FLOAT: "FLOAT", onnx.TensorProto.FLOAT16: "HALF", onnx.TensorProto.UINT8: "UINT8"}
NUMPY = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}


@dataclass
class Scenario:
    """What goes wrong, and what was seen."""

    parse_errors: list[tuple[str, str, str]] = field(default_factory=list)
    """Operation, node, description."""
    refuses_profile: bool = False
    build_error: str = ""
    ignores_half: bool = False
    """The plan's convolutions come out in float32, as under TensorRT 11 with flags of 10."""
    shift_px: float = 0.0
    """Added to every landmark."""
    cannot_start: bool = False
    cannot_run: bool = False
    at_step: Callable[[], None] = lambda: None
    """Called in the middle of a build, as a Ctrl-C would come."""
    seen: dict[str, Any] = field(default_factory=dict)


class FakeTensorRt:
    """A machine with one GPU and TensorRT of one major version."""

    def __init__(self, major: int, scenario: Scenario | None = None, cuda: FakeCuda | None = None) -> None:
        self.scenario = scenario or Scenario()
        self.cuda = cuda or FakeCuda()
        self.api = load_api(major)
        plays = {**self._build_plays(), **self._config_plays(), **self._run_plays(), **self._context_plays()}
        self.module = make_double(self.api, plays)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        """Let `import tensorrt` and cuda-python find the doubles."""
        monkeypatch.setitem(sys.modules, "tensorrt", self.module)
        install_cuda(monkeypatch, self.cuda)
        return self.module

    # --- building

    def _build_plays(self) -> dict[str, Any]:
        return {
            "Builder.__init__": self._start,
            "Builder.create_network": lambda builder, flags=0: self._new(
                "INetworkDefinition", builder=builder, bits=flags
            ),
            "Builder.create_builder_config": lambda builder: self._new("IBuilderConfig", builder=builder, profiles=[]),
            "Builder.create_optimization_profile": lambda builder: self._new("IOptimizationProfile", shapes={}),
            "Builder.build_serialized_network": self._build,
            "OnnxParser.__init__": self._new_parser,
            "OnnxParser.parse": self._parse,
            "OnnxParser.num_errors": lambda parser: len(self.scenario.parse_errors),
            "OnnxParser.get_error": lambda parser, index: self._new("ParserError", at=index),
            "ParserError.node_operator": lambda error: self.scenario.parse_errors[error._played_at][0],
            "ParserError.node_name": lambda error: self.scenario.parse_errors[error._played_at][1],
            "ParserError.desc": lambda error: self.scenario.parse_errors[error._played_at][2],
            "INetworkDefinition.num_outputs": lambda network: len(network._played_outputs),
            "INetworkDefinition.get_output": lambda network, index: network._played_outputs[index],
            "INetworkDefinition.unmark_output": lambda network, tensor: network._played_outputs.remove(tensor),
            "IOptimizationProfile.set_shape": self._set_shape,
        }

    def _start(self, owner: Any, logger: Any) -> None:
        assert logger._played_ready, "ILogger.__init__ was not called"
        owner._played_log = logger
        if self.scenario.cannot_start:
            logger.log(self.module.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def _new_parser(self, parser: Any, network: Any, logger: Any) -> None:
        parser._played_network = network

    def _parse(self, parser: Any, model: bytes, path: str | None = None) -> bool:
        network, proto = parser._played_network, onnx.load_model_from_string(model)
        pixels = {
            entry.name for entry in proto.graph.input if entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        }
        for node in proto.graph.node:
            if pixels & set(node.input) and node.op_type not in ("Cast", "Shape"):
                # DataType's documentation: uint8 inputs must be converted before anything else is done to them
                self.scenario.parse_errors.append((node.op_type, node.name, "uint8 is converted to float only"))
        network._played_model = model
        network._played_outputs = [self._new("ITensor", name=entry.name) for entry in proto.graph.output]
        return not self.scenario.parse_errors

    def _set_shape(self, profile: Any, input: str, min: Any, opt: Any, max: Any) -> None:
        profile._played_shapes[input] = [tuple(min), tuple(opt), tuple(max)]

    def _build(self, builder: Any, network: Any, config: Any) -> Any:
        error = self._build_problem(builder, network, config)
        if error:
            self._fail(builder, error)
            return None
        if not self._report_progress(config):
            return None
        cache = getattr(config, "_played_cache", None)
        if cache is not None:
            cache._played_content = self._timings()
        header = {
            "version": self.module.__version__,
            "capability": list(self.cuda.capability),
            "shapes": config._played_profiles[0]._played_shapes,
            "outputs": [tensor.name for tensor in network._played_outputs],
            "detailed": getattr(config, "_played_profiling_verbosity", None) == self.module.ProfilingVerbosity.DETAILED,
        }
        self.scenario.seen |= {"config": config, "network": network, "header": header}
        return self.module.IHostMemory(MAGIC + json.dumps(header).encode() + b"\n" + network._played_model)

    def _build_problem(self, builder: Any, network: Any, config: Any) -> str:
        strongly_typed = 1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        if network._played_bits != strongly_typed:
            return "the network is not strongly typed"
        if not config._played_profiles:
            return "Network has dynamic or shape inputs, but no optimization profile has been defined."
        return self.scenario.build_error

    def _fail(self, owner: Any, text: str) -> None:
        """An error as TensorRT reports it: to the logger and to the recorder."""
        owner._played_log.log(self.module.ILogger.Severity.ERROR, f"[builder.cpp::build::1] Error Code 2: {text}")
        recorder = getattr(owner, "_played_error_recorder", None)
        if recorder is not None:
            assert recorder._played_ready, "IErrorRecorder.__init__ was not called"
            recorder.report_error(self.module.ErrorCodeTRT.INTERNAL_ERROR, text)

    def _report_progress(self, config: Any) -> bool:
        """Two phases, one inside the other, the inner one from a thread of its own. Returns whether to go on."""
        monitor, (outer, inner) = config._played_progress_monitor, PHASES
        assert monitor._played_ready, "IProgressMonitor.__init__ was not called"
        go_on: list[bool] = []

        def time_tactics() -> None:
            monitor.phase_start(inner, outer, STEPS)
            for step in range(STEPS):
                go_on.append(monitor.step_complete(inner, step))
            monitor.phase_finish(inner)

        monitor.phase_start(outer, None, 2)
        self.scenario.at_step()
        thread = threading.Thread(target=time_tactics)
        thread.start()
        thread.join()
        go_on.append(monitor.step_complete(outer, 0))
        monitor.phase_finish(outer)
        return all(go_on)

    # --- its settings

    def _config_plays(self) -> dict[str, Any]:
        return {
            "IBuilderConfig.set_memory_pool_limit": self._set_pool,
            "IBuilderConfig.clear_flag": lambda config, flag: self.scenario.seen.setdefault("cleared", []).append(flag),
            "IBuilderConfig.add_optimization_profile": self._add_profile,
            "IBuilderConfig.create_timing_cache": self._create_timings,
            "IBuilderConfig.set_timing_cache": self._set_timings,
            "IBuilderConfig.get_timing_cache": lambda config: getattr(config, "_played_cache", None),
            "ITimingCache.serialize": lambda cache: self.module.IHostMemory(cache._played_content),
        }

    def _set_pool(self, config: Any, pool: Any, pool_size: int) -> None:
        self.scenario.seen["pool"] = (pool, pool_size)

    def _add_profile(self, config: Any, profile: Any) -> int:
        shapes = profile._played_shapes.values()
        if self.scenario.refuses_profile or any(not low <= opt <= high for low, opt, high in shapes):
            return -1
        config._played_profiles.append(profile)
        return len(config._played_profiles) - 1

    def _timings(self) -> bytes:
        return f"timings of {self.module.__version__}".encode()

    def _create_timings(self, config: Any, serialized_timing_cache: bytes) -> Any:
        return self._new("ITimingCache", content=serialized_timing_cache)

    def _set_timings(self, config: Any, cache: Any, ignore_mismatch: bool) -> bool:
        fits = ignore_mismatch or cache._played_content in (b"", self._timings())
        if fits:
            config._played_cache = cache
        return fits

    # --- running

    def _run_plays(self) -> dict[str, Any]:
        return {
            "Runtime.__init__": self._start,
            "Runtime.deserialize_cuda_engine": self._deserialize,
            "ICudaEngine.num_io_tensors": lambda engine: len(engine._played_tensors),
            "ICudaEngine.get_tensor_name": lambda engine, index: list(engine._played_tensors)[index],
            "ICudaEngine.get_tensor_shape": lambda engine, name: self.module.Dims(engine._played_tensors[name][1]),
            "ICudaEngine.get_tensor_dtype": lambda engine, name: self.module.DataType[engine._played_tensors[name][2]],
            "ICudaEngine.get_tensor_mode": lambda engine, name: self.module.TensorIOMode[
                engine._played_tensors[name][0]
            ],
            "ICudaEngine.get_tensor_profile_shape": self._profile_shape,
            "ICudaEngine.device_memory_size_v2": lambda engine: 4096,
            "ICudaEngine.create_execution_context": self._create_context,
            "ICudaEngine.create_engine_inspector": lambda engine: self._new("EngineInspector", engine=engine),
            "EngineInspector.get_engine_information": self._inspect,
        }

    def _deserialize(self, runtime: Any, serialized_engine: bytes) -> Any:
        assert getattr(runtime, "_played_engine_host_code_allowed", False) is False
        if not serialized_engine.startswith(MAGIC):
            self._fail(runtime, "The engine plan file is not valid: magicTag does not match")
            return None
        text, model = serialized_engine[len(MAGIC) :].split(b"\n", 1)
        header = json.loads(text)
        if header["version"] != self.module.__version__ or header["capability"] != list(self.cuda.capability):
            self._fail(runtime, f"expecting library version {self.module.__version__} got {header['version']}")
            return None
        proto = onnx.load_model_from_string(model)
        tensors = {entry.name: ("INPUT", *_shape_and_type(entry)) for entry in proto.graph.input}
        outputs = [entry for entry in proto.graph.output if entry.name in header["outputs"]]
        tensors |= {entry.name: ("OUTPUT", *_shape_and_type(entry)) for entry in outputs}
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return self._new("ICudaEngine", tensors=tensors, header=header, graph=proto.graph, session=session)

    def _tensor_mode(self, engine: Any, name: str) -> Any:
        return self.module.TensorIOMode[engine._played_tensors[name][0]]

    def _profile_shape(self, engine: Any, name: str, profile_index: int) -> list[Any]:
        assert profile_index == 0
        return [self.module.Dims(shape) for shape in engine._played_header["shapes"][name]]

    def _create_context(self, engine: Any, strategy: Any) -> Any:
        assert strategy == self.module.ExecutionContextAllocationStrategy.USER_MANAGED
        return self._new("IExecutionContext", plan=engine, addresses={}, scratch=None, batch=0)

    def _inspect(self, inspector: Any, format: Any) -> str:
        engine = inspector._played_engine
        assert format == self.module.LayerInformationFormat.JSON
        nodes = [node for node in engine._played_graph.node if node.op_type == "Conv"]
        if not engine._played_header["detailed"]:
            return json.dumps({"Layers": [node.name for node in nodes]})
        kernels = {entry.name: entry.data_type for entry in engine._played_graph.initializer}
        layers = []
        for node in nodes:
            half = kernels[node.input[1]] == onnx.TensorProto.FLOAT16 and not self.scenario.ignores_half
            layer = {"Name": f"{node.name} + relu", "LayerType": "CaskConvolution"}
            layer |= {"Weights": {"Type": "Half" if half else "Float", "Count": 1}}  # type: ignore[dict-item]
            layers.append(layer | {"Metadata": f"[ONNX Layer: {node.name}]"})
        known = hasattr(inspector, "_played_execution_context")
        softmax = {"Name": "softmax", "LayerType": "SoftMax", "Inputs": []}
        softmax["Outputs"] = [{"Format/Datatype": "Row major linear FP32" if known else "N/A due to dynamic shapes"}]
        key = "I/O Tensors" if self.module.__version__.startswith("11") else "Bindings"
        return json.dumps({"Layers": [*layers, softmax], key: list(engine._played_tensors)})

    def _context_plays(self) -> dict[str, Any]:
        return {
            "IExecutionContext.set_device_memory": self._set_scratch,
            "IExecutionContext.set_input_shape": self._set_input_shape,
            "IExecutionContext.set_tensor_address": self._set_address,
            "IExecutionContext.infer_shapes": self._missing,
            "IExecutionContext.execute_async_v3": self._execute,
        }

    def _set_scratch(self, context: Any, memory: int, size: int) -> None:
        self.cuda.memory(memory, size)
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
        if self.scenario.cannot_run:
            return False
        engine, batch = context._played_plan, context._played_batch
        views = {}
        for name, (_, shape, kind) in engine._played_tensors.items():
            whole = (batch, *shape[1:])
            memory = self.cuda.memory(
                context._played_addresses[name], int(np.prod(whole)) * np.dtype(NUMPY[kind]).itemsize
            )
            views[name] = np.frombuffer(memory, NUMPY[kind]).reshape(whole)

        def work() -> None:
            self.cuda.memory(*context._played_scratch)
            outputs = engine._played_header["outputs"]
            for name, found in zip(
                outputs, engine._played_session.run(outputs, {"crops": views["crops"]}), strict=True
            ):
                views[name][...] = found + (self.scenario.shift_px if name == "points" else 0)

        self.cuda.queue(stream_handle, work)
        return True

    def _new(self, kind: str, **state: Any) -> Any:
        """An object that Python cannot make itself."""
        cls = getattr(self.module, kind)
        made = cls.__new__(cls)
        for name, value in state.items():
            object.__setattr__(made, f"_played_{name}", value)
        return made


def _shape_and_type(entry: onnx.ValueInfoProto) -> tuple[tuple[int, ...], str]:
    """The batch is -1."""
    kind = entry.type.tensor_type
    return tuple(-1 if side.dim_param else side.dim_value for side in kind.shape.dim), TYPES[kind.elem_type]
