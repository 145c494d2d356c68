"""Behaviour of the double of tensorrt: a "plan" is the ONNX it was built of, and ONNX Runtime computes for the GPU.

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

from tests.engines.bindings import RTX
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
    prints_layers: bool = True
    """Whether the build log ends with a table of layers."""
    inspector_is_blind: bool = False
    """Its JSON shows no convolution."""
    ignores_half: bool = False
    """The plan's convolutions come out in float32, as under TensorRT 11 with flags of 10."""
    shift_px: float = 0.0
    """Added to every landmark."""
    cannot_start: bool = False
    cannot_run: bool = False
    refused_capabilities: tuple[str, ...] = ()
    at_step: Callable[[], None] = lambda: None
    """Called in the middle of a build, as a Ctrl-C would come."""
    loggers: list[Any] = field(default_factory=list)
    """Of all builders and runtimes; a real TensorRT listens to the first alone."""
    seen: dict[str, Any] = field(default_factory=dict)


class FakeTensorRt:
    """A machine with one GPU and TensorRT of one major version, or TensorRT for RTX."""

    def __init__(self, library: int | str, scenario: Scenario | None = None, cuda: FakeCuda | None = None) -> None:
        self.scenario = scenario or Scenario()
        self.cuda = cuda or FakeCuda()
        self.rtx = library == RTX
        self.api = load_api(library)
        plays = {**self._build_plays(), **self._config_plays(), **self._run_plays(), **self._context_plays()}
        if self.rtx:
            plays |= self._rtx_plays()
        self.module = make_double(self.api, plays, "tensorrt_rtx" if self.rtx else "tensorrt")

    def install(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        """Let `import tensorrt`, or tensorrt_rtx, and cuda-python find the doubles."""
        for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
            monkeypatch.setitem(sys.modules, name, self.module if name == self.module.__name__ else None)
        install_cuda(monkeypatch, self.cuda)
        return self.module

    # --- building

    def _build_plays(self) -> dict[str, Any]:
        return {
            "Builder.__init__": self._start,
            "Builder.create_network": self._create_network,
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
        if logger not in self.scenario.loggers:
            self.scenario.loggers.append(logger)
        if self.scenario.cannot_start:
            logger.log(self.module.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def _create_network(self, builder: Any, flags: int = 0) -> Any:
        # a real network takes over the builder's recorder, and its parser touches it after the network is gone
        assert not hasattr(builder, "_played_error_recorder"), "use after free: the network inherits the recorder"
        return self._new("INetworkDefinition", builder=builder, bits=flags)

    def _new_parser(self, parser: Any, network: Any, logger: Any) -> None:
        parser._played_network = network

    def _parse(self, parser: Any, model: bytes, path: str | None = None) -> bool:
        assert hasattr(parser._played_network._played_builder, "_played_error_recorder"), "errors would be lost"
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
            "capabilities": getattr(config, "_played_capabilities", None) or [_dotted(self.cuda.capability)],
            "shapes": config._played_profiles[0]._played_shapes,
            "outputs": [tensor.name for tensor in network._played_outputs],
            "detailed": getattr(config, "_played_profiling_verbosity", None) == self.module.ProfilingVerbosity.DETAILED,
        }
        layers = self._layers(onnx.load_model_from_string(network._played_model).graph, known=True)
        if header["detailed"] and self.scenario.prints_layers:
            table = "\n".join(map(self._line, layers))
            builder._played_log.log(self.module.ILogger.Severity.VERBOSE, f"Layers:\n{table}\n\nI/O Tensors:")
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
        # what cannot be read becomes an empty cache, without an error
        return self._new(
            "ITimingCache", content=serialized_timing_cache if self._fits(serialized_timing_cache) else b""
        )

    def _set_timings(self, config: Any, cache: Any, ignore_mismatch: bool) -> bool:
        config._played_cache = cache
        return True

    def _fits(self, content: bytes) -> bool:
        return content == self._timings()

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
        if header["version"] != self.module.__version__ or _dotted(self.cuda.capability) not in header["capabilities"]:
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

    def _create_context(self, engine: Any, strategy: Any = None) -> Any:
        config = strategy if type(strategy).__name__ == "IRuntimeConfig" else None
        assert (config is not None) == self.rtx, "TensorRT for RTX takes its runtime's settings"
        allocation = config._played_allocation if config else strategy
        assert allocation == self.module.ExecutionContextAllocationStrategy.USER_MANAGED
        return self._new("IExecutionContext", plan=engine, addresses={}, scratch=None, batch=0, config=config)

    def _inspect(self, inspector: Any, format: Any) -> str:
        engine = inspector._played_engine
        assert format == self.module.LayerInformationFormat.JSON
        layers = self._layers(engine._played_graph, known=hasattr(inspector, "_played_execution_context"))
        if not engine._played_header["detailed"]:
            return json.dumps({"Layers": [layer["Name"] for layer in layers]})
        if self.scenario.inspector_is_blind:
            layers = layers[-1:]
        key = "Bindings" if self.module.__version__.startswith("10") else "I/O Tensors"
        return json.dumps({"Layers": layers, key: list(engine._played_tensors)})

    def _layers(self, graph: Any, *, known: bool) -> list[dict[str, Any]]:
        """Convolutions and a softmax, in the library's own spelling. known: whether the tensors' types are."""
        kernels = {entry.name: entry for entry in graph.initializer}
        layers = []
        for node in (node for node in graph.node if node.op_type == "Conv"):
            kernel = kernels[node.input[1]]
            half = kernel.data_type == onnx.TensorProto.FLOAT16 and not self.scenario.ignores_half
            layers.append(self._convolution(node.name, "Half" if half else "Float", list(kernel.dims)))
        softmax: dict[str, Any] = {"Name": "softmax", "LayerType": "kgen" if self.rtx else "SoftMax", "Inputs": []}
        softmax["Outputs"] = [self._tensor("Float" if known else "N/A due to dynamic shapes")]
        return [*layers, softmax | {"Metadata": "[ONNX Layer: node_softmax]"}]

    def _convolution(self, name: str, precision: str, dimensions: list[int]) -> dict[str, Any]:
        layer: dict[str, Any] = {
            "Name": f"{name} + relu",
            "LayerType": "correlation" if self.rtx else "CaskConvolution",
        }
        layer["Inputs"] = [self._tensor(precision)]
        if self.rtx:
            factor = {"Name": "factor", "Dimensions": [1], "Datatype": "Float", "Format": "(Linear) Row major linear"}
            layer["Constants"] = [{"Name": "kernel", "Dimensions": dimensions, "Datatype": precision}, factor]
        layer["Outputs"] = [self._tensor(precision)]
        if not self.rtx:
            layer |= {"ParameterType": "Convolution", "Weights": {"Type": precision, "Count": 1}}
        return layer | {"Metadata": f"[ONNX Layer: {name}]"}

    def _tensor(self, precision: str) -> dict[str, Any]:
        tensor: dict[str, Any] = {"Name": "map", "Dimensions": [-1, 8, 16, 16]}
        if self.rtx:
            return tensor | {"Datatype": precision, "Format": "(NHWC) Channel major format"}
        words = {"Half": "Channel major FP16 format where channel % 8 == 0", "Float": "Row major linear FP32"}
        return tensor | {"Format/Datatype": words.get(precision, precision)}

    def _line(self, layer: dict[str, Any]) -> str:
        """A layer as the build log prints it."""
        return ", ".join(f"{key}: {_in_line(value)}" for key, value in layer.items())

    # --- TensorRT for RTX alone

    def _rtx_plays(self) -> dict[str, Any]:
        return {
            "IBuilderConfig.set_compute_capability": self._set_capability,
            "ICudaEngine.create_runtime_config": lambda engine: self._new("IRuntimeConfig"),
            "IRuntimeConfig.set_execution_context_allocation_strategy": self._set_allocation,
            "IRuntimeConfig.create_runtime_cache": lambda config: self._new("IRuntimeCache", content=b""),
            "IRuntimeConfig.set_runtime_cache": self._set_runtime_cache,
            "IRuntimeCache.deserialize": self._read_runtime_cache,
            "IRuntimeCache.serialize": lambda cache: self.module.IHostMemory(cache._played_content),
        }

    def _set_capability(self, config: Any, compute_capability: Any, index: int) -> bool:
        chosen = getattr(config, "_played_capabilities", [])
        assert index == len(chosen) < config.num_compute_capabilities
        digits = compute_capability.name.removeprefix("SM")
        config._played_capabilities = [*chosen, f"{digits[:-1]}.{digits[-1]}"]
        return compute_capability.name not in self.scenario.refused_capabilities

    def _set_allocation(self, config: Any, strategy: Any) -> None:
        config._played_allocation = strategy

    def _set_runtime_cache(self, config: Any, cache: Any) -> bool:
        config._played_cache = cache
        return True

    def _read_runtime_cache(self, cache: Any, blob: bytes) -> bool:
        fits = blob.startswith(self._kernels(""))
        cache._played_content = blob if fits else b""
        self.scenario.seen["runtime cache"] = fits
        return fits

    def _kernels(self, name: str) -> bytes:
        return f"kernels of {self.module.__version__} on {_dotted(self.cuda.capability)}{name}".encode()

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

        if self.rtx:  # compiles what it has not
            cache = context._played_config._played_cache
            content = cache._played_content or self._kernels("")
            name = f" batch {batch}".encode()
            cache._played_content = content if name in content else content + name
            self.scenario.seen["graphs"] = context._played_config.cuda_graph_strategy.name

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


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


def _in_line(value: Any) -> str:
    """A value in the build log's spelling: tensors without quotes, other records as JSON."""
    match value:
        case list() if value and isinstance(value[0], dict):
            tensors = (", ".join(f"{key}: {_in_line(entry)}" for key, entry in tensor.items()) for tensor in value)
            return f"[ {', '.join(f'{{ {tensor} }}' for tensor in tensors)}]"
        case list():
            return f"[{','.join(map(str, value))}]"
        case dict():
            return json.dumps(value)
        case _:
            return str(value)


def _shape_and_type(entry: onnx.ValueInfoProto) -> tuple[tuple[int, ...], str]:
    """The batch is -1."""
    kind = entry.type.tensor_type
    return tuple(-1 if side.dim_param else side.dim_value for side in kind.shape.dim), TYPES[kind.elem_type]
