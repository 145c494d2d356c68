"""The bars that a person watches while TensorRT builds, and the way to stop it."""

from __future__ import annotations

import threading
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from startrack.closing import Closing


class BuildProgress(Closing):
    """Phases of a build, each with its steps, one inside the other; TensorRT reports them from several threads.

    Its methods never raise: they are called from TensorRT's own code.
    """

    def __init__(self, console: Console) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._depths: dict[str, int] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @property
    def running(self) -> list[str]:
        """Names of the phases that have begun and not ended, outermost first."""
        with self._lock:
            return sorted(self._depths, key=lambda name: self._depths[name])

    def cancel(self) -> None:
        """Ask TensorRT to stop; it does so at the end of a step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of `steps` steps begins, inside another one unless parent is empty or None."""
        with self._lock:
            depth = self._depths.get(parent, -1) + 1 if parent else 0
            self._depths[name] = depth
            self._tasks[name] = self._bar.add_task("  " * depth + name, total=steps)

    def step(self, name: str, step: int) -> bool:
        """A step, counted from 0, is done. Returns whether the build may go on."""
        with self._lock:
            if name in self._tasks:
                self._bar.update(self._tasks[name], completed=step + 1)
        return not self.cancelled

    def finish(self, name: str) -> None:
        """A phase ends, maybe before its last step."""
        with self._lock:
            self._depths.pop(name, None)
            if name in self._tasks:
                self._bar.remove_task(self._tasks.pop(name))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def close(self) -> None:
        """Take the bar off the screen. Safe to call twice."""
        self._bar.stop()


def make_monitor(trt: Any, progress: BuildProgress) -> Any:
    """A tensorrt.IProgressMonitor that feeds `progress`; must be referenced until the build is over."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
