"""The contract of every sink: where tracked frames go."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Protocol, TextIO

from startrack.closing import Closing
from startrack.errors import StartrackError
from startrack.tracker.types import TrackedFrame


class SinkError(StartrackError):
    """An output cannot be opened or written; the message names the path and the expected value."""


class Sink(Closing, Protocol):
    """Takes tracked frames one by one; written frames stay readable whenever the sink is closed."""

    def write(self, tracked: TrackedFrame) -> None: ...

    def close(self) -> None:
        """Finish the output. Safe to call twice."""
        ...


def check_output(path: str | Path, *, overwrite: bool, seekable: bool = False) -> Path:
    """The path, if a file can be written there; a device or pipe holds nothing that would be lost. Raises SinkError if
    a file is there already and may not be overwritten, if its folder is missing or read-only, if it is a folder itself,
    or if it must be seekable and is a device or pipe."""
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        if seekable:
            raise SinkError(
                f"{path}: a device or pipe; expected the name of a file, which is finished at its beginning"
            )
        if not os.access(path, os.W_OK):
            raise SinkError(f"{path}: no permission to write here")
        return path
    if path.is_dir():
        raise SinkError(f"{path}: a folder; expected the name of a file to write")
    if not path.parent.is_dir():
        raise SinkError(f"{path}: there is no folder {path.parent}; expected one to write to")
    if path.exists() and not overwrite:
        raise SinkError(f"{path}: exists already; expected a new name, or --overwrite")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SinkError(f"{path}: no permission to write here")
    return path


SCREEN = "-"
"""The name of the standard output, as in other programs."""


class LineFile:
    """A text file written line by line; each line reaches the operating system at once, so that a crash leaves it.

    "-" is the standard output, which stays open.
    """

    def __init__(self, path: str | Path, *, overwrite: bool) -> None:
        """Raises SinkError if the file cannot be opened."""
        self.path = Path(path)
        if str(path) == SCREEN:
            if sys.stdout is None:
                raise SinkError(f"{SCREEN}: the standard output is closed; expected the name of a file")
            self._file: TextIO = sys.stdout
            return
        check_output(path, overwrite=overwrite)
        replaced = overwrite or self.path.exists()  # a device or pipe
        try:
            self._file = self.path.open("w" if replaced else "x", encoding="utf-8", newline="\n", buffering=1)
        except OSError as error:
            raise SinkError(f"{self.path}: cannot be written: {error.strerror}") from error

    def write_line(self, line: str) -> None:
        """Raises SinkError if the disk is full."""
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise SinkError(f"{self.path}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        if self._file is sys.stdout:
            return
        with contextlib.suppress(OSError):  # each line was flushed, so this repeats what write_line has raised
            self._file.close()
