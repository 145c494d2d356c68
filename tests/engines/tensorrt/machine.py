"""The machine of the double of tensorrt: its library, its GPU, what goes wrong, and what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tests.engines.bindings import RTX
from tests.engines.cuda_double import FakeCuda
from tests.engines.tensorrt.layer_table import LayerTable

MAGIC = b"PLAN OF THE DOUBLE\n"


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


class Machine:
    """One GPU and TensorRT of one major version, or TensorRT for RTX."""

    module: ModuleType
    """The double of the library."""
    layers: LayerTable

    def __init__(self, library: int | str, scenario: Scenario | None, cuda: FakeCuda | None) -> None:
        self.scenario = scenario or Scenario()
        self.cuda = cuda or FakeCuda()
        self.rtx = library == RTX

    @property
    def capability(self) -> str:
        """That of the GPU, such as 8.6."""
        return ".".join(map(str, self.cuda.capability))

    def start(self, owner: Any, logger: Any) -> None:
        assert logger._played_ready, "ILogger.__init__ was not called"
        owner._played_log = logger
        if logger not in self.scenario.loggers:
            self.scenario.loggers.append(logger)
        if self.scenario.cannot_start:
            logger.log(self.module.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def fail(self, owner: Any, text: str) -> None:
        """An error as TensorRT reports it: to the logger and to the recorder."""
        owner._played_log.log(self.module.ILogger.Severity.ERROR, f"[builder.cpp::build::1] Error Code 2: {text}")
        recorder = getattr(owner, "_played_error_recorder", None)
        if recorder is not None:
            assert recorder._played_ready, "IErrorRecorder.__init__ was not called"
            recorder.report_error(self.module.ErrorCodeTRT.INTERNAL_ERROR, text)

    def new(self, kind: str, **state: Any) -> Any:
        """An object that Python cannot make itself."""
        cls = getattr(self.module, kind)
        made = cls.__new__(cls)
        for name, value in state.items():
            object.__setattr__(made, f"_played_{name}", value)
        return made
