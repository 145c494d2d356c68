"""Which frames of a source are wanted: from one second to another, and not more than so many of each second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from startrack.tracker.video.base import SourceError


@dataclass(frozen=True, slots=True)
class Part:
    """The frames with start_s <= time_s < end_s, the first of each 1 / sample_fps seconds."""

    start_s: float = 0.0
    end_s: float | None = None
    sample_fps: float | None = None
    """None for every frame."""

    def check(self, name: str) -> None:
        """Raise SourceError unless there can be such frames. name: of the source."""
        if self.start_s < 0 or (self.end_s is not None and self.end_s <= self.start_s):
            raise SourceError(
                f"{name}: cannot be read from {self.start_s} s to {self.end_s} s; expected 0 <= start < end"
            )
        if self.sample_fps is not None and not (math.isfinite(self.sample_fps) and self.sample_fps > 0):
            raise SourceError(f"{name}: {self.sample_fps} frames a second asked for; expected a number above 0")

    @property
    def words(self) -> str:
        """As messages have it; empty for a whole source."""
        if not self.start_s and self.end_s is None:
            return ""
        return f" from {self.start_s:g} s to {'its end' if self.end_s is None else f'{self.end_s:g} s'}"

    def rate(self, fps: float | None) -> float | None:
        """Frames per second that are read of a source with fps."""
        return fps if self.sample_fps is None else min(self.sample_fps, fps or self.sample_fps)


class Sampler:
    """Takes the first frame of every step of time, on a grid that begins with the source."""

    def __init__(self, fps: float | None) -> None:
        """fps: steps to a second; None takes every frame."""
        self._fps = fps
        self._next = 0

    def takes(self, time_s: float) -> bool:
        if self._fps is None:
            return True
        # a millionth of a step: the times of frames are rounded
        step = math.floor(time_s * self._fps + 1e-6)
        if step < self._next:
            return False
        self._next = step + 1
        return True
