"""The live path from end to end: a real stream over the loopback device, the newest frame, and its age."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise

import pytest

from tests.tracker.disc_world import disc_engine
from tests.tracker.video.loopback import free_port, playing
from tracker.detect.base import FaceDetector
from tracker.pipeline import track
from tracker.statistics import RunStatistics
from tracker.types import FaceBox, Frame, TrackedFrame
from tracker.video.buffer import latest
from tracker.video.reconnect import reconnecting
from tracker.video.source import open_stream


class Slow(FaceDetector):
    """Sees nothing, and takes its time."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    def __call__(self, frame: Frame) -> Sequence[FaceBox]:
        time.sleep(self.pause_s)
        return []

    def close(self) -> None: ...


def live(port: int, *, until_s: float, pause_s: float) -> tuple[list[TrackedFrame], list[float]]:
    """Frames and their ages when they were done."""
    seen: list[TrackedFrame] = []
    ages_s: list[float] = []
    with closing(latest(open_stream(f"udp://127.0.0.1:{port}", end_s=until_s))) as frames:
        for tracked in track(frames, Slow(pause_s), disc_engine()):
            assert tracked.frame.arrived_s is not None
            seen.append(tracked)
            ages_s.append(time.monotonic() - tracked.frame.arrived_s)
    return seen, ages_s


def test_a_slow_tracker_drops_frames_and_does_not_fall_behind() -> None:
    port = free_port()
    with playing(port, seconds=20):
        seen, ages_s = live(port, until_s=3.0, pause_s=0.15)
    indices = [one.frame.index for one in seen]
    # a third of 90 frames at most can be done; all of them queued would be 10 s old at the end
    assert len(indices) <= 25
    assert min(after - before for before, after in pairwise(indices)) >= 1
    assert indices[-1] >= 60
    assert max(ages_s) < 1.5


def test_a_quick_tracker_sees_every_frame() -> None:
    port = free_port()
    with playing(port, seconds=20):
        seen, ages_s = live(port, until_s=2.0, pause_s=0.0)
    times = [one.frame.time_s for one in seen]
    assert all(before < after for before, after in pairwise(times))
    assert len(seen) > 30
    assert sorted(ages_s)[len(ages_s) // 2] < 0.5


def test_a_stream_that_breaks_off_is_taken_up_again() -> None:
    """The second sender begins while the first connection is still waiting for more, or after it was given up."""
    port = free_port()
    url = f"udp://127.0.0.1:{port}?timeout=1500000"
    with playing(port, seconds=20) as first:
        video = reconnecting(lambda: open_stream(url), patience_s=20)
        frames = [next(video) for _ in range(5)]
        first.kill()
        first.wait()
        with playing(port, seconds=20):
            frames += [next(video) for _ in range(20)]
    video.close()
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))
    assert all(before.index < after.index for before, after in pairwise(frames))


def test_the_summary_tells_the_age_of_live_frames_only() -> None:
    port = free_port()
    with playing(port, seconds=20):
        seen, _ = live(port, until_s=0.5, pause_s=0.0)
    statistics = RunStatistics()
    for one in seen:
        statistics.add(one)
    done = statistics.summary()
    assert done.age_ms_p50 is not None
    assert done.age_ms_p99 is not None
    assert 0 < done.age_ms_p50 <= done.age_ms_p99
    assert "age p50" in done.to_text()
    assert RunStatistics().summary().age_ms_p50 is None
    assert "age" not in RunStatistics().summary().to_text()


@pytest.mark.slow
def test_ten_minutes_of_live_input() -> None:
    """Memory stays flat and frames do not get older."""
    resource = pytest.importorskip("resource")
    port, ages_s, memory = free_port(), [], []
    with playing(port, seconds=700), closing(latest(open_stream(f"udp://127.0.0.1:{port}", end_s=600.0))) as frames:
        for tracked in track(frames, Slow(0.0), disc_engine()):
            assert tracked.frame.arrived_s is not None
            ages_s.append(time.monotonic() - tracked.frame.arrived_s)
            if tracked.frame.index % 300 == 0:
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    assert max(memory) - memory[2] < 5
    assert sorted(ages_s[-300:])[150] < sorted(ages_s[:300])[150] + 0.05
