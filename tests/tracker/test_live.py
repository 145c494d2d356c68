"""The live path from end to end: a real stream over the loopback device, the newest frame, and its age."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.pipeline import track_frames
from startrack.tracker.session.statistics import RunStatistics
from startrack.tracker.sinks.jsonl_sink import JsonlSink, read_jsonl
from startrack.tracker.types import FaceBox, Frame, TrackedFrame
from startrack.tracker.video.buffer import latest
from startrack.tracker.video.reconnect import reconnecting
from startrack.tracker.video.source import open_stream
from tests.tracker.disc_world import disc_engine
from tests.tracker.video.loopback import free_port, playing


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
        for tracked in track_frames(frames, Slow(pause_s), disc_engine()):
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
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux' /proc")
def test_ten_minutes_of_live_input(tmp_path: Path) -> None:
    """Memory stays flat, frames do not get older, and every tracked frame has its line."""
    # FFmpeg's ring for datagrams holds 5.4 MB by default, which this thin stream fills in six minutes only
    port, ring = free_port(), "fifo_size=1000&overrun_nonfatal=1"
    ages_s: list[list[float]] = [[]]
    memory_mb: list[float] = []
    tracked_frames = 0
    with playing(port, seconds=700), JsonlSink(tmp_path / "live.jsonl") as sink:
        stream = open_stream(f"udp://127.0.0.1:{port}?{ring}", end_s=600.0)
        with closing(latest(stream)) as frames:
            for tracked in track_frames(frames, Slow(0.0), disc_engine()):
                sink.write(tracked)
                tracked_frames += 1
                assert tracked.frame.arrived_s is not None
                ages_s[-1].append(time.monotonic() - tracked.frame.arrived_s)
                if tracked.frame.time_s >= 60 * len(ages_s):
                    ages_s[-1:] = [[median(ages_s[-1])], []]
                    memory_mb.append(resident_mb())
    indices = [recorded.index for recorded in read_jsonl(tmp_path / "live.jsonl")]
    assert len(memory_mb) >= 9
    assert max(memory_mb[1:]) - min(memory_mb[1:]) < 5
    assert median(ages_s[-2]) < median(ages_s[0]) + 0.05
    assert len(indices) == tracked_frames
    assert all(before < after for before, after in pairwise(indices))


def resident_mb() -> float:
    """Memory of this process now; ru_maxrss would be its peak, and the parent's at the fork."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
