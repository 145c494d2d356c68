"""Tracked frames → sinks, with progress on the screen and a summary at the end, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console

from startrack.tracker.session.progress import TrackingProgress
from startrack.tracker.session.statistics import RunStatistics, RunSummary
from startrack.tracker.sinks.base import SCREEN, Sink, SinkError, check_output
from startrack.tracker.types import TrackedFrame
from startrack.whole_file import write_whole


def check_outputs(source: str, outputs: Sequence[Path | None], *, overwrite: bool) -> None:
    """Raise SinkError, before anything is loaded or written, if an output cannot be written, is the source itself, or
    is named twice. None is an output that is not wanted, "-" the screen."""
    if sum(str(path) == SCREEN for path in outputs) > 1:
        raise SinkError(f"{SCREEN}: the screen is named for two outputs; expected a file for one of them")
    named: set[Path] = set()
    for path in outputs:
        if path is None or str(path) == SCREEN:
            continue
        check_output(path, overwrite=overwrite)
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise SinkError(f"{path}: the source itself; expected another name for the output")
        if path.resolve() in named:
            raise SinkError(f"{path}: named for two outputs; expected a file for each")
        named.add(path.resolve())


def run(
    faces: Iterable[TrackedFrame],
    sinks: Sequence[Sink],
    *,
    total: int | None = None,
    show_frame: Callable[[TrackedFrame], bool] | None = None,
    summary: Path | None = None,
    quiet: bool = False,
) -> RunSummary:
    """Write every frame to every sink until the source ends or show_frame says that its user has seen enough.

    Returns the run in numbers. total: frames to expect, for the progress bar; None if unknown. summary: where to write
    those numbers, which happens also when the source fails or Ctrl-C ends the run; the error then passes on. quiet:
    nothing on the screen. The sinks stay open: they belong to the caller.
    """
    statistics, console = RunStatistics(), Console(stderr=True, quiet=quiet)
    try:
        with TrackingProgress(total, statistics, console) as progress:
            for tracked in faces:
                for sink in sinks:
                    sink.write(tracked)
                statistics.add(tracked)
                progress.update()
                if show_frame is not None and not show_frame(tracked):
                    break
    finally:
        done = statistics.summary()
        if done.frames:
            console.print(done.to_text(), highlight=False, markup=False, soft_wrap=True)
        if summary is not None:
            write_text(summary, done.to_json())
    return done


def write_text(path: Path, text: str) -> None:
    """Write a line or several to a file, or to the screen for "-". Raises SinkError."""
    if str(path) == SCREEN:
        print(text)
        return
    try:
        write_whole(path, text + "\n")
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror}") from error
