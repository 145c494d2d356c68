"""Progress of a training: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from startrack.closing import Closing


class Progress(Closing):
    """Counts steps and shows notes above the bar."""

    def __init__(self, name: str, *, total: int, done: int = 0) -> None:
        self.console = Console()
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=total, completed=done, status="")

    def advance(self, status: str) -> None:
        """One step done."""
        self._bar.update(self._task, advance=1, status=status)

    def note(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def close(self) -> None:
        """Take the bar off the screen. Safe to call twice."""
        self._bar.stop()
