"""The library, TensorRT or TensorRT for RTX, checked for its version, and its messages while it works."""

from __future__ import annotations

import importlib
import logging
import re
import threading
from types import ModuleType
from typing import Any
from weakref import WeakSet

from startrack.engines.base import UnsuitableError
from startrack.engines.plans.facts import RUNTIME_NAMES, Runtime
from startrack.errors import install_line, quoted_extra

MODULES: dict[Runtime, tuple[str, ...]] = {
    "tensorrt": ("tensorrt",),
    # the first is a package of a few lines that names the second
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
"""Library → the modules that it may be imported as; the first library that is there is taken."""
EXTRAS: dict[Runtime, str] = {"tensorrt": "gpu", "tensorrt-rtx": "rtx"}
VERSIONS: dict[Runtime, tuple[tuple[int, int], tuple[int, int], str]] = {
    # strongly typed networks are the only kind from 11 on and the recommended one from 10.12
    "tensorrt": ((10, 12), (12, 0), "10.12 or newer, and below 12"),
    "tensorrt-rtx": ((1, 7), (2, 0), "1.7 or newer, and below 2"),
}
"""The oldest version, the first unknown one, and both in words."""
SHOWN_ERRORS = 5
log = logging.getLogger("startrack.tensorrt")


def open_tensorrt(runtime: Runtime | None = None) -> Any:
    """The module of a library, by default TensorRT, or TensorRT for RTX where the first cannot be used.

    Raises UnsuitableError if it is missing, cannot be loaded or is of another version.
    """
    if runtime is not None:
        return _open(runtime)
    try:
        return _open("tensorrt")
    except UnsuitableError as first:
        try:
            return _open("tensorrt-rtx")
        except _NotInstalledError:
            if isinstance(first, _NotInstalledError):
                raise UnsuitableError(f"{first}, or {quoted_extra('rtx')} for an RTX card") from None
            raise first from None


def runtime_of(trt: ModuleType) -> Runtime:
    """Which library a module of open_tensorrt is."""
    return "tensorrt-rtx" if trt.__name__ in MODULES["tensorrt-rtx"] else "tensorrt"


class _NotInstalledError(UnsuitableError):
    """There is no such package, rather than a broken one."""


def _open(runtime: Runtime) -> Any:
    name = RUNTIME_NAMES[runtime]
    trt = _import(runtime)
    oldest, unknown, expected = VERSIONS[runtime]
    version = re.match(r"(\d+)\.(\d+)", trt.__version__)
    if version is None or not oldest <= (int(version[1]), int(version[2])) < unknown:
        raise UnsuitableError(f"{name} {trt.__version__} is installed; expected {expected}")
    return trt


def _import(runtime: Runtime) -> Any:
    for module in MODULES[runtime]:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            if error.name != module:
                raise UnsuitableError(f"{module} cannot be loaded: {error}") from error
        except (OSError, RuntimeError) as error:  # a library next to it is missing
            raise UnsuitableError(f"{module} cannot be loaded: {error}") from error
    raise _NotInstalledError(f"{runtime} is not installed; expected: {install_line(EXTRAS[runtime])}")


class Messages:
    """The errors that TensorRT has reported, from whichever of its threads, and its table of a new plan's layers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: list[tuple[Any, str]] = []
        self._layers = ""

    def add(self, text: str, code: Any = None) -> None:
        """Keep an error. code: a tensorrt.ErrorCodeTRT where there is one."""
        with self._lock:
            self._errors.append((code, text.strip()))

    def keep_layers(self, text: str) -> None:
        """Keep the table that a build prints at its end."""
        with self._lock:
            self._layers = text

    @property
    def layers(self) -> str:
        """The layers of the last plan that was built, one a line; empty if none was printed."""
        with self._lock:
            return self._layers

    def __len__(self) -> int:
        with self._lock:
            return len(self._errors)

    def __getitem__(self, index: int) -> tuple[Any, str]:
        with self._lock:
            return self._errors[index]

    def clear(self) -> None:
        """Forget the errors."""
        with self._lock:
            self._errors.clear()

    def to_text(self) -> str:
        """The first few, each once, joined; enough for a person to find the cause."""
        with self._lock:
            every = list(dict.fromkeys(text for _, text in self._errors if text))
        # the logger is given the recorder's texts again, with a prefix
        texts = [text for text in every if not any(text != other and other.endswith(text) for other in every)]
        more = f" (and {len(texts) - SHOWN_ERRORS} more)" if len(texts) > SHOWN_ERRORS else ""
        return "; ".join(texts[:SHOWN_ERRORS]) + more if texts else "TensorRT gives no reason"


def create(kind: Any, logger: Any, messages: Messages) -> Any:
    """A tensorrt.Builder or tensorrt.Runtime. Raises UnsuitableError if the library cannot start, without a GPU say."""
    try:
        return kind(logger)
    except TypeError as error:  # pybind11's word for a function of the library that returns nothing
        reason = messages.to_text() if len(messages) else str(error)
        raise UnsuitableError(f"TensorRT cannot start: {reason}") from error


_LOGGERS: dict[ModuleType, Any] = {}
_LISTENERS: WeakSet[Messages] = WeakSet()
_LISTENERS_LOCK = threading.Lock()


def logger_for(trt: Any, messages: Messages) -> Any:
    """The tensorrt.ILogger of this process, which from now on also keeps errors and layers in `messages`.

    TensorRT keeps to the first logger that it was given for as long as any builder or runtime lives, so that a second
    one would hear nothing of its own build. All is passed on to Python's logging.
    """
    with _LISTENERS_LOCK:
        _LISTENERS.add(messages)
        if trt not in _LOGGERS:
            _LOGGERS[trt] = _make_logger(trt)
        return _LOGGERS[trt]


def _listeners() -> list[Messages]:
    with _LISTENERS_LOCK:
        return list(_LISTENERS)


def _make_logger(trt: Any) -> Any:
    severity = trt.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.DEBUG,  # kept, and part of the EngineError that follows
        severity.ERROR: logging.DEBUG,
        severity.WARNING: logging.INFO,
    }
    errors = (severity.INTERNAL_ERROR, severity.ERROR)

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in errors:
                for messages in _listeners():
                    messages.add(msg)
            elif ", LayerType: " in msg:
                for messages in _listeners():
                    messages.keep_layers(msg)
            log.log(levels.get(severity, logging.DEBUG), "%s", msg)

    return Logger()


def make_error_recorder(trt: Any, messages: Messages) -> Any:
    """A tensorrt.IErrorRecorder that keeps errors in `messages`; TensorRT calls it from several threads."""

    class Recorder(trt.IErrorRecorder):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)

        def num_errors(self) -> int:
            return len(messages)

        def get_num_errors(self) -> int:
            """The name under which the library asks; the bindings document the other one."""
            return len(messages)

        def get_error_code(self, index: int) -> Any:
            return messages[index][0] or trt.ErrorCodeTRT.UNSPECIFIED_ERROR

        def get_error_desc(self, index: int) -> str:
            return messages[index][1]

        def has_overflowed(self) -> bool:
            return False

        def clear(self) -> None:
            messages.clear()

        def report_error(self, code: Any, desc: str) -> bool:
            messages.add(desc, code)
            return True  # no error is worth going on after

    return Recorder()
