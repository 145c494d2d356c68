"""A run as one HTML page to look at: time lines of each face, pictures where something happens, a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from startrack.tracker.sinks.base import Sink, SinkError, check_output
from startrack.tracker.sinks.report.counts import Counts
from startrack.tracker.sinks.report.moments import Moments
from startrack.tracker.sinks.report.page import render
from startrack.tracker.sinks.report.timeline import RUN, Timeline
from startrack.tracker.types import Track, TrackedFrame
from startrack.whole_file import write_whole


class ReportSink(Sink):
    """Writes the page when it is closed. It needs no other file and no network.

    Memory is bounded, whatever the length of the run: time steps grow longer, and pictures are replaced
    (tracker.sinks.report).
    """

    def __init__(
        self, path: str | Path, title: str, *, about: Mapping[str, str] | None = None, overwrite: bool = False
    ) -> None:
        """title: of the page, such as the source's name. about: further rows of the table, name → value.

        Raises SinkError if the file cannot be written.
        """
        self._path = check_output(path, overwrite=overwrite, seekable=True)
        self._title, self._about = title, dict(about or {})
        self._counts, self._timeline, self._moments = Counts(), Timeline(), Moments()
        self._places: dict[int, tuple[float, float, float]] = {}
        self._closed = False

    def write(self, tracked: TrackedFrame) -> None:
        self._counts.add(tracked)
        time_s = tracked.frame.time_s - self._counts.first_s
        self._timeline.add(time_s, RUN, (tracked.latency.total_ms, float(len(tracked.tracks))))
        values: dict[int, dict[str, float]] = {}
        places = dict[int, tuple[float, float, float]]()
        for track in tracked.tracks:
            x, y, unit = _place(track)
            places[track.id] = (x, y, time_s)
            speed = self._speed(track.id, x, y, time_s) / unit
            pitch, yaw, _roll, right, left, mouth, certainty = numbers = _numbers(track)
            self._timeline.add(time_s, track.id, (*numbers, speed))
            values[track.id] = {
                "pitch": pitch, "yaw": yaw, "mouth": mouth, "eyes": (right + left) / 2, "certainty": certainty,
            }  # fmt: skip
        self._places = places
        self._moments.add(tracked, time_s, values)

    def _speed(self, face: int, x: float, y: float, time_s: float) -> float:
        """Frame pixels per second since the last frame; 0 for a face that was not in it."""
        if face not in self._places:
            return 0.0
        from_x, from_y, from_s = self._places[face]
        return math.hypot(x - from_x, y - from_y) / max(time_s - from_s, 1e-3)

    def close(self) -> None:
        """Write the page. Raises SinkError if the disk is full."""
        if self._closed:
            return
        self._closed = True
        self._moments.finish()
        page = render(self._title, self._about, self._counts, self._timeline, self._moments)
        try:
            write_whole(self._path, page)
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written: {error.strerror}") from error


def _place(track: Track) -> tuple[float, float, float]:
    """Where the head is, and its unit of length, in frame pixels: between the eyes, an eye distance; or of the box."""
    if track.signals is not None:
        x, y = track.signals.pose.origin.tolist()
        return x, y, max(track.signals.pose.scale_px, 1.0)
    left, top, right, bottom = track.box.tolist()
    return (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top, 1.0) / 2


def _numbers(track: Track) -> tuple[float, ...]:
    """pitch, yaw, roll, right and left eye, mouth, certainty; NaN for those that the model does not give."""
    scores = track.landmarks.score
    certainty = float(np.add.reduce(scores)) / len(scores) if len(scores) else math.nan  # mean() costs twice as much
    if track.signals is None:
        return (*(math.nan,) * 6, certainty)
    angles = (math.degrees(angle) for angle in track.signals.pose.angles_rad)
    return (*angles, *track.signals.eyes_open, track.signals.mouth_open, certainty)
