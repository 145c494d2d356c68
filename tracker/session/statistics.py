"""Counts and times of a run of the tracker: the progress line and the JSON summary."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from startrack.tracker.types import StageLatency, TrackedFrame


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in numbers; latencies are the tracker's own time per frame, without decoding and sinks."""

    frames: int
    frames_with_face: int
    faces: int
    """Different ids seen."""
    dropped: int
    """Frames the source gave that were too late to be tracked."""
    wall_s: float
    fps: float
    latency_ms_p50: float
    latency_ms_p99: float
    detect_ms: float
    """Mean per frame of this and the following stages."""
    crop_ms: float
    engine_ms: float
    smooth_ms: float
    age_ms_p50: float | None = None
    """Live sources: from a frame's arrival until its outputs were written."""
    age_ms_p99: float | None = None
    start_time_s: float | None = None
    """Recordings: time of time_s 0 on the container's own clock (VideoInfo.start_time_s)."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """One line for a person."""
        age = "" if self.age_ms_p50 is None else f", age p50 {self.age_ms_p50:.0f} p99 {self.age_ms_p99:.0f} ms"
        return (
            f"{plural(self.frames, 'frame')} in {self.wall_s:.1f} s ({self.fps:.1f} fps), "
            f"{plural(self.faces, 'face')}, {plural(self.frames_with_face, 'frame')} with a face, "
            f"p50 {self.latency_ms_p50:.1f} p99 {self.latency_ms_p99:.1f} ms{age}, {self.dropped} dropped"
        )


def plural(count: int, word: str) -> str:
    """ "1 face", "2 faces"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


class RunStatistics:
    """Counts tracked frames as they pass."""

    def __init__(self, *, window: int = 100_000) -> None:
        """window: newest frames that percentiles can speak of; all of an hour at 25 frames per second."""
        self._started = time.perf_counter()
        self._latencies_ms: deque[float] = deque(maxlen=window)
        self._ages_ms: deque[float] = deque(maxlen=window)
        self._stages = np.zeros(4)
        self._ids: set[int] = set()
        self._frames = 0
        self._with_face = 0
        self._first_index: int | None = None
        self._last_index = 0
        self.now_faces = 0
        """Faces in the newest frame."""

    @property
    def frames(self) -> int:
        return self._frames

    def add(self, tracked: TrackedFrame) -> None:
        """Count one more frame, whose outputs are written."""
        latency: StageLatency = tracked.latency
        self._frames += 1
        self._with_face += bool(tracked.tracks)
        self._ids.update(one.id for one in tracked.tracks)
        self._latencies_ms.append(latency.total_ms)
        if tracked.frame.arrived_s is not None:
            self._ages_ms.append(1000 * (time.monotonic() - tracked.frame.arrived_s))
        self._stages += (latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms)
        if self._first_index is None:
            self._first_index = tracked.frame.index
        self._last_index = tracked.frame.index
        self.now_faces = len(tracked.tracks)

    def summary(self, *, last: int | None = None) -> RunSummary:
        """The run so far. last: newest frames that the percentiles speak of, by default all of the window."""
        wall_s = time.perf_counter() - self._started
        p50, p99 = _percentiles(self._latencies_ms, last) or (0.0, 0.0)
        spread = 0 if self._first_index is None else self._last_index - self._first_index + 1
        stages = [round(float(value), 3) for value in self._stages / max(self._frames, 1)]
        return RunSummary(
            self._frames,
            self._with_face,
            len(self._ids),
            spread - self._frames,
            round(wall_s, 3),
            round(self._frames / max(wall_s, 1e-9), 2),
            p50,
            p99,
            *stages,
            *(_percentiles(self._ages_ms, last) or (None, None)),
        )


def _percentiles(values_ms: deque[float], last: int | None) -> tuple[float, float] | None:
    """p50 and p99 of the newest `last`; None if there are none."""
    newest = list(islice(reversed(values_ms), last))
    if not newest:
        return None
    p50, p99 = np.percentile(newest, [50, 99])
    return round(float(p50), 3), round(float(p99), 3)
