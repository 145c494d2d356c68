"""The builder, its parser and its settings in the double of tensorrt: a "plan" is the ONNX that it was built of."""

from __future__ import annotations

import json
import threading
from typing import Any

import onnx

from tests.engines.tensorrt.layer_table import line
from tests.engines.tensorrt.machine import MAGIC, Machine

PHASES = ("Building engine", "Tactic timing")
STEPS = 3


class Building:
    """What a builder does, with the refusals of a real TensorRT as its documents state them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def plays(self) -> dict[str, Any]:
        """Name in the library → what plays it."""
        settings = self._config_plays()
        return settings | {
            "Builder.__init__": self._machine.start,
            "Builder.create_network": self._create_network,
            "Builder.create_builder_config": lambda builder: self._machine.new(
                "IBuilderConfig", builder=builder, profiles=[]
            ),
            "Builder.create_optimization_profile": lambda builder: self._machine.new("IOptimizationProfile", shapes={}),
            "Builder.build_serialized_network": self._build,
            "OnnxParser.__init__": self._new_parser,
            "OnnxParser.parse": self._parse,
            "OnnxParser.num_errors": lambda parser: len(self._machine.scenario.parse_errors),
            "OnnxParser.get_error": lambda parser, index: self._machine.new("ParserError", at=index),
            "ParserError.node_operator": lambda error: self._machine.scenario.parse_errors[error._played_at][0],
            "ParserError.node_name": lambda error: self._machine.scenario.parse_errors[error._played_at][1],
            "ParserError.desc": lambda error: self._machine.scenario.parse_errors[error._played_at][2],
            "INetworkDefinition.num_outputs": lambda network: len(network._played_outputs),
            "INetworkDefinition.get_output": lambda network, index: network._played_outputs[index],
            "INetworkDefinition.unmark_output": lambda network, tensor: network._played_outputs.remove(tensor),
            "IOptimizationProfile.set_shape": self._set_shape,
        }

    def _create_network(self, builder: Any, flags: int = 0) -> Any:
        # a real network takes over the builder's recorder, and its parser touches it after the network is gone
        assert not hasattr(builder, "_played_error_recorder"), "use after free: the network inherits the recorder"
        return self._machine.new("INetworkDefinition", builder=builder, bits=flags)

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
                self._machine.scenario.parse_errors.append(
                    (node.op_type, node.name, "uint8 is converted to float only")
                )
        network._played_model = model
        network._played_outputs = [self._machine.new("ITensor", name=entry.name) for entry in proto.graph.output]
        return not self._machine.scenario.parse_errors

    def _set_shape(self, profile: Any, input: str, min: Any, opt: Any, max: Any) -> None:
        profile._played_shapes[input] = [tuple(min), tuple(opt), tuple(max)]

    def _build(self, builder: Any, network: Any, config: Any) -> Any:
        error = self._build_problem(builder, network, config)
        if error:
            self._machine.fail(builder, error)
            return None
        if not self._report_progress(config):
            return None
        cache = getattr(config, "_played_cache", None)
        if cache is not None:
            cache._played_content = self._timings()
        header = {
            "version": self._machine.module.__version__,
            "capabilities": getattr(config, "_played_capabilities", None) or [self._machine.capability],
            "shapes": config._played_profiles[0]._played_shapes,
            "outputs": [tensor.name for tensor in network._played_outputs],
            "detailed": getattr(config, "_played_profiling_verbosity", None)
            == self._machine.module.ProfilingVerbosity.DETAILED,
        }
        layers = self._machine.layers.of(
            onnx.load_model_from_string(network._played_model).graph,
            known=True,
            ignores_half=self._machine.scenario.ignores_half,
        )
        if header["detailed"] and self._machine.scenario.prints_layers:
            table = "\n".join(map(line, layers))
            builder._played_log.log(self._machine.module.ILogger.Severity.VERBOSE, f"Layers:\n{table}\n\nI/O Tensors:")
        self._machine.scenario.seen |= {"config": config, "network": network, "header": header}
        return self._machine.module.IHostMemory(MAGIC + json.dumps(header).encode() + b"\n" + network._played_model)

    def _build_problem(self, builder: Any, network: Any, config: Any) -> str:
        strongly_typed = 1 << int(self._machine.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        if network._played_bits != strongly_typed:
            return "the network is not strongly typed"
        if not config._played_profiles:
            return "Network has dynamic or shape inputs, but no optimization profile has been defined."
        return self._machine.scenario.build_error

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
        self._machine.scenario.at_step()
        thread = threading.Thread(target=time_tactics)
        thread.start()
        thread.join()
        go_on.append(monitor.step_complete(outer, 0))
        monitor.phase_finish(outer)
        return all(go_on)

    def _config_plays(self) -> dict[str, Any]:
        return {
            "IBuilderConfig.set_memory_pool_limit": self._set_pool,
            "IBuilderConfig.clear_flag": lambda config, flag: self._machine.scenario.seen.setdefault(
                "cleared", []
            ).append(flag),
            "IBuilderConfig.add_optimization_profile": self._add_profile,
            "IBuilderConfig.create_timing_cache": self._create_timings,
            "IBuilderConfig.set_timing_cache": self._set_timings,
            "IBuilderConfig.get_timing_cache": lambda config: getattr(config, "_played_cache", None),
            "ITimingCache.serialize": lambda cache: self._machine.module.IHostMemory(cache._played_content),
            **({"IBuilderConfig.set_compute_capability": self._set_capability} if self._machine.rtx else {}),
        }

    def _set_pool(self, config: Any, pool: Any, pool_size: int) -> None:
        self._machine.scenario.seen["pool"] = (pool, pool_size)

    def _add_profile(self, config: Any, profile: Any) -> int:
        shapes = profile._played_shapes.values()
        if self._machine.scenario.refuses_profile or any(not low <= opt <= high for low, opt, high in shapes):
            return -1
        config._played_profiles.append(profile)
        return len(config._played_profiles) - 1

    def _timings(self) -> bytes:
        return f"timings of {self._machine.module.__version__}".encode()

    def _create_timings(self, config: Any, serialized_timing_cache: bytes) -> Any:
        # what cannot be read becomes an empty cache, without an error
        return self._machine.new(
            "ITimingCache", content=serialized_timing_cache if self._fits(serialized_timing_cache) else b""
        )

    def _set_timings(self, config: Any, cache: Any, ignore_mismatch: bool) -> bool:
        config._played_cache = cache
        return True

    def _fits(self, content: bytes) -> bool:
        return content == self._timings()

    def _set_capability(self, config: Any, compute_capability: Any, index: int) -> bool:
        chosen = getattr(config, "_played_capabilities", [])
        assert index == len(chosen) < config.num_compute_capabilities
        digits = compute_capability.name.removeprefix("SM")
        config._played_capabilities = [*chosen, f"{digits[:-1]}.{digits[-1]}"]
        return compute_capability.name not in self._machine.scenario.refused_capabilities
