"""The numbers of a run that its report has as a table."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from startrack.tracker.types import TrackedFrame

NEWEST = 100_000
"""Frames of which percentiles are taken."""


class Counts:
    """Counts frames, faces and milliseconds."""

    def __init__(self) -> None:
        self.frames = 0
        self.with_face = 0
        self.ids: set[int] = set()
        self.first_s = 0.0
        self.last_s = 0.0
        self._indices = (0, 0)
        self._latencies_ms: deque[float] = deque(maxlen=NEWEST)
        self._stages_ms = [0.0, 0.0, 0.0, 0.0]
        self._size = (0, 0)

    def add(self, tracked: TrackedFrame) -> None:
        frame, latency = tracked.frame, tracked.latency
        if not self.frames:
            self.first_s, self._indices, self._size = (
                frame.time_s,
                (frame.index, frame.index),
                (frame.width, frame.height),
            )
        self.frames += 1
        self.with_face += bool(tracked.tracks)
        self.ids.update(track.id for track in tracked.tracks)
        self.last_s, self._indices = frame.time_s, (self._indices[0], frame.index)
        self._latencies_ms.append(latency.total_ms)
        stages = (latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms)
        self._stages_ms = [before + new for before, new in zip(self._stages_ms, stages, strict=True)]

    @property
    def duration_s(self) -> float:
        """From the first frame to the last."""
        return self.last_s - self.first_s

    def rows(self) -> Iterator[tuple[str, str]]:
        """Name → value, as words."""
        yield "picture", f"{self._size[0]} × {self._size[1]} pixels"
        yield "time", f"{clock(self.first_s)} to {clock(self.last_s)}"
        yield "frames", f"{self.frames}, {self.with_face} of them with a face"
        yield "dropped frames", str(self._indices[1] - self._indices[0] + 1 - self.frames if self.frames else 0)
        yield "faces", str(len(self.ids))
        if self.frames:
            p50, p99 = np.percentile(self._latencies_ms, [50, 99])
            yield "tracking", f"{p50:.1f} ms a frame (median), 99 % within {p99:.1f} ms"
            detect, crop, engine, smooth = (total / self.frames for total in self._stages_ms)
            stages = f"detector {detect:.2f}, crops {crop:.2f}, landmark model {engine:.2f}, smoothing {smooth:.2f}"
            yield "stages, mean", f"{stages} ms a frame"


def clock(time_s: float) -> str:
    """ "1:02.5" or "1:00:02.5"."""
    minutes, seconds = divmod(round(time_s, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"
