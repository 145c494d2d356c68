"""What a run says of itself."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from startrack.tracker.session.statistics import RunStatistics, RunSummary, plural
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame

LANDMARKS = Landmarks(np.zeros((2, 2)), np.zeros((2, 2, 2)), np.ones(2), 1.0)


def tracked(index: int, *ids: int, detect_ms: float = 0.0, engine_ms: float = 0.0) -> TrackedFrame:
    frame = Frame(np.zeros((1, 1, 3), np.uint8), index, index / 25)
    tracks = tuple(Track(one, LANDMARKS, np.zeros(4), Roi(np.zeros(2), 1.0)) for one in ids)
    return TrackedFrame(frame, tracks, StageLatency(detect_ms=detect_ms, engine_ms=engine_ms))


def summary_of(*frames: TrackedFrame, window: int = 1000) -> RunSummary:
    statistics = RunStatistics(window=window)
    for one in frames:
        statistics.add(one)
    return statistics.summary()


def test_frames_faces_and_gaps_are_counted() -> None:
    # frame 3 and 4 were too late; the first frame of a part need not be frame 0
    done = summary_of(tracked(2, 0), tracked(5, 0, 1), tracked(6), tracked(7, 2))
    assert (done.frames, done.frames_with_face, done.faces, done.dropped) == (4, 3, 3, 2)


def test_latencies_are_percentiles_of_the_sum_and_means_of_the_stages() -> None:
    done = summary_of(*(tracked(k, detect_ms=10.0 * (k == 0), engine_ms=k) for k in range(101)))
    # sums: 10, 1, 2, …, 100; sorted the middle one of 101 is 50
    assert done.latency_ms_p50 == 50
    assert done.latency_ms_p99 == 99
    assert done.detect_ms == pytest.approx(10 / 101, abs=1e-3)
    assert done.engine_ms == 50
    assert (done.crop_ms, done.smooth_ms) == (0, 0)


def test_percentiles_speak_of_the_newest_frames() -> None:
    statistics = RunStatistics(window=5)
    for index, engine_ms in enumerate((900, 900, 1, 2, 3, 4, 5)):
        statistics.add(tracked(index, engine_ms=engine_ms))
    assert statistics.summary().latency_ms_p50 == 3
    assert statistics.summary(last=3).latency_ms_p50 == 4
    assert statistics.summary().frames == 7


def test_speed_is_frames_over_wall_time() -> None:
    statistics = RunStatistics()
    statistics.add(tracked(0))
    time.sleep(0.02)
    done = statistics.summary()
    assert 0.02 <= done.wall_s < 20
    assert done.fps == pytest.approx(1 / done.wall_s, rel=0.05)


def test_no_frames() -> None:
    done = summary_of()
    assert (done.frames, done.dropped, done.latency_ms_p99, done.fps) == (0, 0, 0, 0)


def test_faces_of_the_newest_frame() -> None:
    statistics = RunStatistics()
    for frame in (tracked(0, 1, 2), tracked(1, 2)):
        statistics.add(frame)
    assert statistics.now_faces == 1


def test_json_holds_every_field() -> None:
    done = summary_of(tracked(0, 0))
    assert RunSummary(**json.loads(done.to_json())) == done


def test_text_is_one_line() -> None:
    text = RunSummary(1, 1, 2, 0, 0.5, 2.0, 3.14, 4.0, 0, 0, 0, 0).to_text()
    assert text == "1 frame in 0.5 s (2.0 fps), 2 faces, 1 frame with a face, p50 3.1 p99 4.0 ms, 0 dropped"
    assert [plural(count, "face") for count in (0, 1, 2)] == ["0 faces", "1 face", "2 faces"]
