"""Errors of the project → one line and an exit code (the list is in commands/app.py)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer

from startrack.errors import install_line
from startrack.outside import one_line
from startrack.stopping import ending, requested, stoppable

TRAIN_PACKAGES = ("torch", "onnx", "onnxscript", "safetensors", "tensorboard", "matplotlib", "h5py")
"""Packages of the extra `train`."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every error of the project into one line and its exit code; outputs are closed by then."""
    try:
        with stoppable():
            yield
    except KeyboardInterrupt as stop:
        fail(*ending(stop))
    except Exception as error:
        explained = _explained(error)
        lost = requested()
        if lost is not None and (explained is None or isinstance(error, ImportError)):
            fail(*ending(lost))
        if explained is None:
            raise
        fail(*explained)


def _explained(error: Exception) -> tuple[object, int] | None:
    """What to say of an error, and the exit code; None of one that is not the project's."""
    if isinstance(error, ImportError):
        if error.name in TRAIN_PACKAGES:
            return f"{error.name} is not installed; expected: {install_line('train')}", 4
        return f"{error}; startrack doctor says what is missing", 4
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{error.filename}: too long a name; expected 255 bytes at most", 2
    if isinstance(error, OSError):  # what no sink has put in its own words
        return f"{error.filename or 'output'}: cannot be written: {error.strerror or error}", 5
    from startrack.engines.base import EngineError
    from startrack.tracker.sinks.base import SinkError
    from startrack.tracker.video.base import SourceError
    from startrack.train.sets.sample import DatasetError

    codes = {SourceError: 3, EngineError: 4, SinkError: 5, DatasetError: 6}
    code = next((code for kind, code in codes.items() if isinstance(error, kind)), None)
    return None if code is None else (error, code)


def fail(error: object, code: int) -> NoReturn:
    """Leave with one line that says why."""
    note(error)
    raise typer.Exit(code)


def note(text: object) -> None:
    """A line, on the error stream."""
    with suppress(OSError):  # nobody can be told that nobody can be told
        typer.echo(f"startrack: {one_line(text)}", err=True)
