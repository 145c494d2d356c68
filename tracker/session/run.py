"""Tracked frames → sinks, with progress on the screen and a summary at the end, however it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from startrack.quiet_console import QuietConsole
from startrack.stopping import unbroken
from startrack.tracker.session.progress import TrackingProgress
from startrack.tracker.session.statistics import RunStatistics, RunSummary
from startrack.tracker.session.unfinished import is_unfinished
from startrack.tracker.sinks.base import SCREEN, Sink, SinkError, check_output
from startrack.tracker.types import TrackedFrame
from startrack.whole_file import write_whole


def check_outputs(source: str, outputs: Sequence[Path | None], *, overwrite: bool) -> None:
    """Raise SinkError, before anything is loaded or written, if an output cannot be written, is the source itself, or
    is named twice. None is an output that is not wanted, "-" the screen. One that a killed run left unfinished may be
    replaced."""
    if sum(str(path) == SCREEN for path in outputs) > 1:
        raise SinkError(f"{SCREEN}: the screen is named for two outputs; expected a file for one of them")
    named: set[Path] = set()
    for path in outputs:
        if path is None or str(path) == SCREEN:
            continue
        check_output(path, overwrite=overwrite or is_unfinished(path))
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
    report: Callable[[str], None] = print,
    late: Callable[[], Iterable[TrackedFrame]] = tuple,
    start_time_s: float | None = None,
    note_files: Callable[[], None] = lambda: None,
) -> RunSummary:
    """Write every frame to every sink until the source ends or show_frame says that its user has seen enough.

    A sink that fails is closed with a line to `report`, and the others go on. Raises SinkError at the end of a run in
    which one failed, or as soon as no sink and no screen is left.

    Returns the run in numbers. total: frames to expect, for the progress bar; None if unknown. summary: where to write
    those numbers, which happens also when the source fails or Ctrl-C ends the run; the error then passes on. quiet:
    nothing on the screen. late: gives the frames that a stage still holds back (LookAhead.flush); they are written
    when Ctrl-C ends the run. start_time_s: of the source, for the summary. note_files: called when the first frame and
    when the summary was written, since a file may then be another one than before (Claims.note). The sinks stay open:
    they belong to the caller.
    """
    statistics, console = RunStatistics(), QuietConsole(quiet=quiet)
    outputs = _Outputs(sinks, report, is_shown=show_frame is not None)
    try:
        with TrackingProgress(total, statistics, console) as progress:
            try:
                for tracked in faces:
                    with unbroken():  # outputs that are interrupted hold the same frames
                        outputs.write(tracked)
                    statistics.add(tracked)
                    if statistics.frames == 1:
                        note_files()
                    progress.update()
                    if show_frame is not None and not show_frame(tracked):
                        break
            except KeyboardInterrupt:
                with unbroken():
                    for tracked in late():
                        outputs.write(tracked)
                        statistics.add(tracked)
                raise
    finally:
        done = replace(statistics.summary(), start_time_s=start_time_s)
        if done.frames:
            console.print(done.to_text(), highlight=False, markup=False, soft_wrap=True)
        if summary is not None:
            write_text(summary, done.to_json())
            note_files()
    outputs.raise_failure()
    return done


class _Outputs:
    """The sinks of a run that still work."""

    def __init__(self, sinks: Sequence[Sink], report: Callable[[str], None], *, is_shown: bool) -> None:
        self._working = list(sinks)
        self._count = len(sinks)
        self._failures: list[SinkError] = []
        self._report, self._is_shown = report, is_shown

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if no sink is left and nobody watches."""
        for sink in tuple(self._working):
            try:
                sink.write(tracked)
            except SinkError as error:
                self._fail(sink, error)
        if self._failures and not (self._working or self._is_shown):
            raise self._failures[0]

    def _fail(self, sink: Sink, error: SinkError) -> None:
        self._working.remove(sink)
        self._failures.append(error)
        with suppress(SinkError):
            sink.close()
        if self._working or self._is_shown:
            self._report(f"{error}; the other outputs go on")

    def raise_failure(self) -> None:
        if self._failures:
            failed, first = len(self._failures), self._failures[0]
            raise SinkError(f"{failed} of {self._count} outputs ended early: {first}")


def write_text(path: Path, text: str) -> None:
    """Write a line or several to a file, or to the screen for "-". Raises SinkError."""
    if str(path) == SCREEN:
        if sys.stdout is None:
            raise SinkError(f"{SCREEN}: the standard output is closed; expected the name of a file")
        print(text)
        return
    try:
        write_whole(path, text + "\n")
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror}") from error
