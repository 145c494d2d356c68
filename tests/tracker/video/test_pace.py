"""A recording played at its pace."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video.base import LIVE_TIME_BASE, VideoInfo, VideoStream
from startrack.tracker.video.pace import at_its_pace

INFO = VideoInfo("clip.mp4", 1, 1, 25.0, 3, 0.12, LIVE_TIME_BASE, is_live=False, has_audio=False)


def stream(times_s: list[float], closed: list[bool] | None = None) -> VideoStream:
    image = np.zeros((1, 1, 3), np.uint8)
    frames = (Frame(image, index, time_s) for index, time_s in enumerate(times_s))
    return VideoStream(INFO, frames, lambda: closed.append(True) if closed is not None else None)


class Clock:
    """A clock that only sleeping moves, in place of the module time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("startrack.tracker.video.pace.time", clock)
    return clock


@pytest.mark.parametrize("first_s", [0.0, 60.0])
def test_each_frame_comes_at_its_time(first_s: float, clock: Clock) -> None:
    times_s = [first_s + after for after in (0.0, 0.05, 0.06, 0.12)]
    video = at_its_pace(stream(times_s))
    assert [clock.now - 1000 + first_s for _ in video] == pytest.approx(times_s)
    assert video.info is INFO


def test_a_slow_reader_waits_for_nothing_and_then_for_the_next_in_time(clock: Clock) -> None:
    video = at_its_pace(stream([0.0, 0.04, 0.08, 0.12]))
    arrivals = []
    for frame in video:
        arrivals.append(clock.now - 1000)
        clock.now += 0.09 if frame.index == 0 else 0.0
    assert arrivals == pytest.approx([0, 0.09, 0.09, 0.12])


def test_closing_closes_the_source() -> None:
    closed: list[bool] = []
    with at_its_pace(stream([0.0, 99.0], closed)) as video:
        next(video)
    assert closed == [True]
