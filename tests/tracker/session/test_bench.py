"""The measurement of each stage."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
import pytest
from disc_world import SPEC, DiscDetector, disc_engine, disc_frame

from startrack.engines.base import CropArray, LandmarkBatch
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.pipeline import TrackerOptions
from startrack.tracker.session.bench import DECODED_AHEAD, WARM_UP, BenchReport, Smoothing, measure
from startrack.tracker.types import Frame
from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError, VideoInfo, VideoStream

INFO = VideoInfo("clip.mp4", 320, 240, 25.0, None, None, LIVE_TIME_BASE, is_live=False, has_audio=False)


def bench(frames: Iterator[Frame], *, engine: FakeEngine | None = None, count: int = 10) -> BenchReport:
    video = VideoStream(INFO, (frame for frame in frames))
    options = TrackerOptions(max_faces=1)
    return measure(
        video, DiscDetector(), engine or disc_engine(), smoothing=Smoothing("none"), options=options, count=count
    )


def discs(count: int) -> Iterator[Frame]:
    return (disc_frame([(100, 100, 30)], index) for index in range(count))


def test_stages_and_whole_frames_are_measured_after_the_warm_up() -> None:
    good, calls = disc_engine(), 0

    def slow_at_first(crops: CropArray) -> LandmarkBatch:
        nonlocal calls
        calls += 1
        time.sleep(0.002 if calls > 5 else 0.05)
        return good(crops)

    report = bench(discs(WARM_UP + 20), engine=FakeEngine(SPEC, slow_at_first))
    assert (report.model, report.frames, report.faces_per_frame) == ("disc", 10, 1.0)
    assert 2 <= report.engine_ms <= report.wall_ms_p99
    assert report.detect_ms == 0  # the one face was found in the warm-up
    assert 0 < report.wall_ms_p50 <= report.wall_ms_p90 <= report.wall_ms_p99
    assert report.peak_memory_mb > 10
    assert json.loads(report.to_json()) == asdict(report)


def test_a_short_clip_is_measured_as_far_as_it_goes() -> None:
    assert bench(discs(WARM_UP + 3)).frames == 3


def test_a_clip_that_ends_in_the_warm_up_is_named() -> None:
    with pytest.raises(SourceError, match=f"clip.mp4: {WARM_UP} frames; expected more than {WARM_UP}"):
        bench(discs(WARM_UP))


def test_decoding_is_no_part_of_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now_s = 0.0

        def perf_counter(self) -> float:
            return self.now_s

        process_time = perf_counter

    clock, good = Clock(), disc_engine()

    def decoded() -> Iterator[Frame]:
        for frame in discs(WARM_UP + 20):
            clock.now_s += 7
            yield frame

    def look(crops: CropArray) -> LandmarkBatch:
        clock.now_s += 0.003
        return good(crops)

    monkeypatch.setattr("startrack.tracker.session.bench.time", clock)
    report = bench(decoded(), engine=FakeEngine(SPEC, look), count=20)
    assert (report.wall_ms_p50, report.wall_ms_p99, report.cpu_ms) == (3, 3, 3)


def test_few_frames_are_in_memory_at_a_time() -> None:
    given: list[weakref.ref[np.ndarray]] = []
    most = 0

    def watched() -> Iterator[Frame]:
        nonlocal most
        for frame in discs(WARM_UP + 30):
            image = frame.image.copy()
            given.append(weakref.ref(image))
            most = max(most, sum(one() is not None for one in given))
            yield replace(frame, image=image)

    bench(watched(), count=30)
    assert len(given) == WARM_UP + 30
    assert most <= DECODED_AHEAD + 5
