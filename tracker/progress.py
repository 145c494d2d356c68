"""The line that a person watches while the tracker runs; nothing where the output is no terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tracker.statistics import RunStatistics
from tracker.video.base import VideoInfo

REFRESH_S = 0.2


class TrackingProgress:
    """A bar where the length is known, and speed, faces, latency and dropped frames."""

    def __init__(self, info: VideoInfo, statistics: RunStatistics, console: Console) -> None:
        self._statistics = statistics
        self._shown_s = 0.0
        total = None if info.is_live else info.frame_count
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("tracking", total=total, status="")

    def update(self) -> None:
        """Call once a frame; the screen is written a few times a second."""
        now = time.monotonic()
        if now - self._shown_s >= REFRESH_S:
            self._shown_s = now
            self._write()

    def _write(self) -> None:
        done, faces = self._statistics.summary(), self._statistics.now_faces
        status = (
            f"{done.fps:.1f} fps · {faces} face{'' if faces == 1 else 's'} · "
            f"{done.latency_ms_p50:.1f} / {done.latency_ms_p99:.1f} ms p50/p99 · {done.dropped} dropped"
        )
        self._bar.update(self._task, completed=done.frames, status=status)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()
        self._bar.stop()
