"""Cameras are unplugged and streams break off here by faults put in on purpose."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError, VideoInfo, VideoStream
from startrack.tracker.video.reconnect import reconnecting

LIVE = VideoInfo("camera 0", 4, 4, None, None, None, Fraction(1, 90_000), is_live=True, has_audio=False)


class Cable:
    """Opens what it was given one after the other: a stream of so many frames with its end, or no stream."""

    def __init__(self, *states: tuple[int, str | None] | None, info: VideoInfo = LIVE) -> None:
        self.states = list(states)
        self.info = info
        self.closed = 0

    def open(self) -> VideoStream:
        state = self.states.pop(0) if self.states else None
        if state is None:
            raise SourceError("camera 0: no such camera")
        return VideoStream(self.info, self._frames(*state), self._release)

    def _frames(self, count: int, failure: str | None) -> Generator[Frame]:
        for index in range(count):
            yield Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10)
        if failure is not None:
            raise SourceError(failure)

    def _release(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only pauses move on; every pause is kept."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("startrack.tracker.video.reconnect.time.monotonic", lambda: 100 + sum(pauses))
    monkeypatch.setattr("startrack.tracker.video.reconnect.time.sleep", sleep)
    return pauses


def read(video: VideoStream) -> tuple[list[Frame], str]:
    frames = []
    with pytest.raises(SourceError) as error:
        frames.extend(video)
    return frames, str(error.value)


def test_a_lost_camera_is_followed_up_again(clock: list[float]) -> None:
    said: list[str] = []
    cable = Cable((3, "camera 0: cannot be read on: no device"), None, None, (2, None))
    frames, failure = read(reconnecting(cable.open, patience_s=10, report=said.append))
    assert [frame.index for frame in frames] == [0, 1, 2, 4, 5]  # the gap shows that frames are missing
    # two pauses, 0.25 and 0.5 s, went by until it came back
    assert [frame.time_s for frame in frames] == pytest.approx([1e-6, 0.1, 0.2, 0.75, 0.85], abs=1e-5)
    assert failure == "camera 0: the stream has ended"
    assert said[0] == "camera 0: cannot be read on: no device; trying to open it again for 10 s"
    assert said[1] == "camera 0: is back"
    assert cable.closed == 2


def test_pauses_grow_and_patience_ends(clock: list[float]) -> None:
    cable = Cable((1, "camera 0: unplugged"))
    frames, failure = read(reconnecting(cable.open, patience_s=12, report=lambda _: None))
    assert len(frames) == 1
    assert failure == "camera 0: unplugged"
    assert clock == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_times_never_run_backwards() -> None:
    cable = Cable((5, None), (3, None), (3, None))  # back at once, and its own times start at 0 again
    frames, _ = read(reconnecting(cable.open, patience_s=1))
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert len(times) == 11


@pytest.mark.parametrize(("info", "patience_s"), [(replace(LIVE, is_live=False), 30.0), (LIVE, 0.0)])
def test_what_is_no_live_source_is_left_alone(info: VideoInfo, patience_s: float) -> None:
    cable = Cable((2, None), (2, None), info=info)
    assert len(list(reconnecting(cable.open, patience_s=patience_s))) == 2


def test_the_first_opening_fails_at_once() -> None:
    with pytest.raises(SourceError, match="no such camera"):
        reconnecting(Cable(None, (3, None)).open, patience_s=30)


def test_closing_closes_the_connection_there_is() -> None:
    cable = Cable((1, "gone"), (3, None))
    video = reconnecting(cable.open, patience_s=5)
    for _ in range(2):
        next(video)
    assert cable.closed == 1
    video.close()
    assert cable.closed == 2


def test_closing_before_the_first_frame(clock: Callable[[], float]) -> None:
    cable = Cable((3, None))
    reconnecting(cable.open, patience_s=5).close()
    assert cable.closed == 1
