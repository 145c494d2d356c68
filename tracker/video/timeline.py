"""Timestamps of a container → the times of its frames."""

from __future__ import annotations

from fractions import Fraction


class Timeline:
    """Timestamps → seconds since the start, strictly increasing even where the container lies."""

    def __init__(self, start: int, time_base: Fraction, rate: Fraction | None) -> None:
        """start: timestamp of time 0, in units of time_base (seconds). rate: frames per second, for missing ones."""
        self._start = start
        self._time_base = time_base
        self._step = max(1, round(1 / (time_base * (rate or 25))))
        self._last: int | None = None

    def time_s(self, pts: int | None) -> float:
        """Seconds of the next frame, whose timestamp is pts (None if it has none)."""
        if self._last is None:
            ticks = 0 if pts is None else pts - self._start
        elif pts is None:
            ticks = self._last + self._step
        else:
            ticks = pts - self._start
            if self._last - ticks > 2 * self._step:  # the clock was set back, as where recordings were joined
                ticks = self._last + self._step
                self._start = pts - ticks
            elif ticks <= self._last:  # least change, so that the next true timestamp still fits
                ticks = self._last + 1
        self._last = ticks
        return float(ticks * self._time_base)
