"""Errors of the project → one line and an exit code (the list is in commands/app.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from startrack.errors import install_line
from startrack.outside import one_line
from startrack.stopping import ending, stoppable

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
    except ImportError as error:
        if error.name in TRAIN_PACKAGES:
            fail(f"{error.name} is not installed; expected: {install_line('train')}", 4)
        fail(f"{error}; startrack doctor says what is missing", 4)
    except OSError as error:  # what no sink has put in its own words
        fail(f"{error.filename or 'output'}: cannot be written: {error.strerror or error}", 5)
    except Exception as error:
        from startrack.engines.base import EngineError
        from startrack.tracker.sinks.base import SinkError
        from startrack.tracker.video.base import SourceError
        from startrack.train.sets.sample import DatasetError

        codes = {SourceError: 3, EngineError: 4, SinkError: 5, DatasetError: 6}
        code = next((code for kind, code in codes.items() if isinstance(error, kind)), None)
        if code is None:
            raise
        fail(error, code)


def fail(error: object, code: int) -> NoReturn:
    """Leave with one line that says why."""
    typer.echo(f"startrack: {one_line(error)}", err=True)
    raise typer.Exit(code)


def note(text: str) -> None:
    """A line, on the error stream."""
    typer.echo(f"startrack: {one_line(text)}", err=True)
