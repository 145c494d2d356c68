"""A rich console that nobody has to read: where it cannot be written, nothing is said and the work goes on."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from rich.console import Console


class QuietConsole(Console):
    """The error stream, or the standard output. rich itself ends the process with code 1 when its reader is gone."""

    def __init__(self, *, stderr: bool = True, quiet: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, quiet=quiet or stream is None)

    def print(self, *objects: Any, **style: Any) -> None:
        """As Console.print."""
        with suppress(OSError):
            super().print(*objects, **style)

    def on_broken_pipe(self) -> None:
        """Go on without a word."""
        self.quiet = True
