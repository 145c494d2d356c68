"""The TensorRT library, checked for its version, and what it says while it works."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from startrack.engines.base import UnsuitableError

OLDEST, NEXT_UNKNOWN = (10, 12), (12, 0)
"""Strongly typed networks are the only kind from 11 on and the recommended one from 10.12."""
SHOWN_ERRORS = 5
log = logging.getLogger("startrack.tensorrt")


def open_tensorrt() -> Any:
    """The module tensorrt. Raises UnsuitableError if it is missing, cannot be loaded or is of another version."""
    try:
        import tensorrt
    except ImportError as error:
        if error.name == "tensorrt":
            raise UnsuitableError("tensorrt is not installed; expected: pip install 'startrack[gpu]'") from error
        raise UnsuitableError(f"tensorrt cannot be loaded: {error}") from error
    except (OSError, RuntimeError) as error:  # a library beside it is missing
        raise UnsuitableError(f"tensorrt cannot be loaded: {error}") from error
    version = re.match(r"(\d+)\.(\d+)", tensorrt.__version__)
    if version is None or not OLDEST <= (int(version[1]), int(version[2])) < NEXT_UNKNOWN:
        raise UnsuitableError(f"TensorRT {tensorrt.__version__} is installed; expected 10.12 or newer, and below 12")
    return tensorrt


class Messages:
    """The errors that TensorRT has reported, from whichever of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: list[tuple[Any, str]] = []

    def add(self, text: str, code: Any = None) -> None:
        """Keep an error. code: a tensorrt.ErrorCodeTRT where there is one."""
        with self._lock:
            self._errors.append((code, text.strip()))

    def __len__(self) -> int:
        with self._lock:
            return len(self._errors)

    def __getitem__(self, index: int) -> tuple[Any, str]:
        with self._lock:
            return self._errors[index]

    def clear(self) -> None:
        with self._lock:
            self._errors.clear()

    def to_text(self) -> str:
        """The first few, each once, joined; what a person needs to find the cause."""
        with self._lock:
            every = list(dict.fromkeys(text for _, text in self._errors if text))
        # the logger is told the recorder's texts again, with a prefix
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


def make_logger(trt: Any, messages: Messages) -> Any:
    """A tensorrt.ILogger: errors are kept, all is passed on to Python's logging."""
    severity = trt.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.DEBUG,  # kept, and part of the EngineError that follows
        severity.ERROR: logging.DEBUG,
        severity.WARNING: logging.INFO,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                messages.add(msg)
            log.log(levels.get(severity, logging.DEBUG), "%s", msg)

    return Logger()


def make_error_recorder(trt: Any, messages: Messages) -> Any:
    """A tensorrt.IErrorRecorder that keeps errors in `messages`; TensorRT calls it from several threads."""

    class Recorder(trt.IErrorRecorder):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)

        def num_errors(self) -> int:
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
