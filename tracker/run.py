"""Tracked frames → sinks, with progress on the screen and a summary at the end, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console

from tracker.progress import TrackingProgress
from tracker.sinks.base import Sink
from tracker.statistics import RunStatistics, RunSummary
from tracker.types import TrackedFrame
from tracker.video.base import VideoInfo


def run(
    faces: Iterable[TrackedFrame],
    info: VideoInfo,
    sinks: Sequence[Sink],
    *,
    show_frame: Callable[[TrackedFrame], bool] | None,
    finish: Callable[[RunSummary], None],
) -> None:
    """Write every frame to every sink until the source ends or show_frame says that its user has seen enough.

    finish is called with the summary also when the source fails or Ctrl-C ends the run; the error then passes on. The
    sinks stay open: they belong to the caller.
    """
    statistics = RunStatistics()
    try:
        with TrackingProgress(info, statistics, Console(stderr=True)) as progress:
            for tracked in faces:
                for sink in sinks:
                    sink.write(tracked)
                statistics.add(tracked)
                progress.update()
                if show_frame is not None and not show_frame(tracked):
                    break
    finally:
        finish(statistics.summary())
