"""The line that a person watches while the tracker runs; nothing where the output is no terminal."""

from __future__ import annotations

import math
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from startrack.closing import Closing
from startrack.tracker.session.statistics import RunStatistics, plural
from startrack.tracker.video.base import VideoInfo

REFRESH_S = 0.2
RECENT = 300
"""Frames that the shown latencies speak of."""


def expected_frames(info: VideoInfo, start_s: float = 0.0, end_s: float | None = None) -> int | None:
    """About how many frames of a recording lie between two times; None if that is unknown."""
    if info.is_live or info.frame_count is None or not info.duration_s:
        return None if info.is_live else info.frame_count
    length_s = min(math.inf if end_s is None else end_s, info.duration_s) - start_s
    return max(1, round(info.frame_count * length_s / info.duration_s))


class TrackingProgress(Closing):
    """A bar where the length is known, and speed, faces, latency and dropped frames."""

    def __init__(self, total: int | None, statistics: RunStatistics, console: Console) -> None:
        """total: frames to expect."""
        self._statistics = statistics
        self._shown_s = 0.0
        known = (
            BarColumn(None, table_column=Column(ratio=1)),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True),
        )
        self._bar = Progress(
            *(known if total else ()),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True)),
            console=console,
            expand=total is not None,
            transient=True,  # the summary takes its place
            refresh_per_second=1 / REFRESH_S,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("tracking", total=total, status="")

    def update(self) -> None:
        """Call once a frame; the screen is written a few times a second."""
        now = time.monotonic()
        if now - self._shown_s >= REFRESH_S:
            self._shown_s = now
            done, faces = self._statistics.summary(last=RECENT), self._statistics.now_faces
            status = (
                f"{done.fps:.1f} fps · {plural(faces, 'face')} · "
                f"p50 {done.latency_ms_p50:.1f} p99 {done.latency_ms_p99:.1f} ms · {done.dropped} dropped"
            )
            self._bar.update(self._task, completed=done.frames + done.dropped, status=status)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def close(self) -> None:
        """Take the bar off the screen. Safe to call twice."""
        self._bar.stop()
