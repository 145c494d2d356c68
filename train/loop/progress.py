"""Progress of a training: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from startrack.closing import Closing
from startrack.quiet_console import QuietConsole

FIRST_LINE_S = 1.0
LINE_EVERY_S = 30.0
"""Between two lines where there is no terminal."""
FORGET = 0.98
"""Of the running mean of a step's time, per step."""


class Progress(Closing):
    """Counts steps, with loss, speed and the time that is left, and shows notes above the bar."""

    def __init__(
        self,
        name: str,
        *,
        total: int,
        done: int = 0,
        faces_per_step: int = 1,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """total, done: steps of the whole training, and those before this run."""
        self.console = console or QuietConsole(stderr=False)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._name, self._total, self._step, self._faces = name, total, done, faces_per_step
        self._task = self._bar.add_task(name, total=total, completed=done, status="")
        self._clock = clock
        self._last_s = clock()
        self._next_line_s = self._last_s + FIRST_LINE_S
        self._step_s: float | None = None

    def advance(self, loss: float) -> None:
        """One step done."""
        now = self._clock()
        taken, self._last_s, self._step = now - self._last_s, now, self._step + 1
        # the first step waits for workers and compiled programs; it is no measure of the others
        self._step_s = taken if self._step_s is None else FORGET * self._step_s + (1 - FORGET) * taken
        status = self._status(loss)
        self._bar.update(self._task, advance=1, status=status)
        if not self.console.is_terminal and now >= self._next_line_s:
            self._next_line_s = now + LINE_EVERY_S
            self.note(f"{self._name}: step {self._step} of {self._total}, {status}")

    def _status(self, loss: float) -> str:
        step_s = max(self._step_s or 0.0, 1e-9)
        left = timedelta(seconds=round(step_s * (self._total - self._step)))
        return f"loss {loss:.3f}, {self._faces / step_s:.0f} faces/s, {left} left"

    def note(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def close(self) -> None:
        """Take the bar off the screen. Safe to call twice."""
        self._bar.stop()
