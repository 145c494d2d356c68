"""The report of a run: one small page without anything from outside, right in its numbers, in bounded memory."""

from __future__ import annotations

import base64
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.report import charts, moments, timeline
from startrack.tracker.sinks.report.charts import FACE_CHARTS, draw, spans
from startrack.tracker.sinks.report.moments import Moments
from startrack.tracker.sinks.report.timeline import MOST_STEPS, RUN, Timeline
from startrack.tracker.sinks.report_sink import ReportSink
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks.faces import face

IMAGE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
IMAGE = np.asarray(cv2.GaussianBlur(IMAGE, (0, 0), 3), np.uint8)
VALUES = {"pitch": 0.0, "yaw": 0.0, "mouth": 0.0, "eyes": 1.0, "certainty": 1.0}


def frame(index: int, *tracks: Track, time_s: float | None = None) -> TrackedFrame:
    time_s = index / 25 if time_s is None else time_s
    return TrackedFrame(Frame(IMAGE, index, time_s), tracks, StageLatency(1, 2, 3, 4))


class Outside(HTMLParser):
    """What a page would load or follow, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "img", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag("path", attrs)


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    with ReportSink(path, "a <clip> & more.mp4", about={"model": "x<y"}) as sink:
        for index in range(40):
            shown = [face(0, rotation=turn(0, 0.02 * index, 0))] + ([face(1)] if 10 <= index < 20 else [])
            sink.write(frame(index, *shown))
        assert not path.exists()
    text = path.read_text(encoding="utf-8")
    page = Outside()
    page.feed(text)
    assert page.open == []
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert "<title>a &lt;clip&gt; &amp; more.mp4</title>" in text
    assert "x&lt;y" in text
    assert "40, 40 of them with a face" in text
    assert "turned to the picture's left" in html.unescape(text)
    for link in page.links:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(link.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None


def test_ten_minutes_are_three_megabytes_at_most(tmp_path: Path) -> None:
    turns = [face(0, rotation=turn(0.4 * np.sin(k), 0.9 * np.sin(2 * k), 0.2)) for k in np.linspace(0, 6, 50)]
    shown = [Track(id, one.landmarks, one.box, one.roi, one.signals) for id in range(8) for one in turns]
    path = tmp_path / "out.html"
    with ReportSink(path, "long.mp4") as sink:
        # as many time steps and pictures as 15,000 frames give, in less time
        for index in range(3000):
            faces = (shown[50 * id + (index * (id + 1)) % 50] for id in range(8))
            sink.write(frame(index, *faces, time_s=index / 5))
    assert 100_000 < path.stat().st_size <= 3_000_000
    assert path.read_text(encoding="utf-8").count("<section style") == 8


def test_steps_hold_mean_least_and_most_however_often_they_are_made_longer() -> None:
    line, rng = Timeline(), np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 3000, 20_000))
    values = rng.normal(size=(20_000, 8))
    for time_s, row in zip(times.tolist(), values.tolist(), strict=True):
        line.add(time_s, 5, tuple(row))
    (series,) = line.finish(3000).values()
    assert len(series.steps) <= MOST_STEPS
    steps = (times / line.step_s).astype(int)
    for number in (0, 7, len(series.steps) - 1):
        own = values[steps == series.steps[number]]
        assert series.frames[number] == len(own)
        np.testing.assert_allclose(series.mean[number], own.mean(axis=0))
        np.testing.assert_allclose(series.least[number], own.min(axis=0))
        np.testing.assert_allclose(series.most[number], own.max(axis=0))


def test_faces_without_number_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_CELLS", 2500)
    line = Timeline()
    for number in range(8000):
        line.add(number / 1000, RUN if number % 8 == 0 else number, (0.0,) * 8)
    found = line.finish(8.0)
    assert sum(len(series.steps) for series in found.values()) <= 2500
    assert found[RUN].frames.sum() == 1000
    assert line.left_out > 0


def test_pictures_are_where_something_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Moments()
    yaws = [0, 10, 30, 33, 60, 20]
    for index, yaw in enumerate(yaws):
        tracked = frame(index, face(3))
        kept.add(tracked, index / 25, {3: VALUES | {"yaw": float(yaw), "mouth": 0.9 if index == 1 else 0.0}})
    kept.add(frame(6), 6 / 25, {})
    kept.finish()
    found = {what: round(one.time_s * 25) for what, one in kept.faces[3].items()}
    assert found == {"first seen": 0, "turned to the picture's left": 4, "mouth wide open": 1, "last seen": 5}
    assert kept.faces[3]["first seen"].image.shape == (moments.FACE_SIZE, moments.FACE_SIZE, 3)


def test_pictures_are_bounded() -> None:
    kept = Moments()
    for index in range(250):
        kept.add(frame(index, face(index)), index / 25, {index: VALUES})
    kept.finish()
    assert sum(len(one) for one in kept.faces.values()) <= moments.MOST_MOMENTS + 1
    assert len(kept.frames) == moments.MOST_FRAMES
    gaps = np.diff([at for at, _ in kept.frames])
    assert gaps.max() <= 2.1 * gaps.min() + 1e-9


def test_a_chart_is_drawn_to_its_scale() -> None:
    line = Timeline()
    for number in range(11):
        line.add(number / 128, 0, (*(0.0,) * 5, number / 10, 1.0, 0.0))
    (series,) = line.finish(10 / 128).values()
    mouth = next(chart for chart in FACE_CHARTS if chart.title == "Mouth")
    text = draw(mouth, series, 11)
    (path,) = re.findall(r'data-name="mouth" d="([^"]+)"', text)
    assert path == "M" + "L".join(f"{x},{100 - 10 * x}" for x in range(11))
    assert spans(series, 11) == [(0.0, 100.0)]


def test_a_gap_is_left_open() -> None:
    line = Timeline()
    for number in [*range(10), *range(40, 50)]:
        line.add(number / 128, 0, (0.0,) * 8)
    (series,) = line.finish(49 / 128).values()
    assert spans(series, 50) == [(0.0, 20.0), (80.0, 20.0)]
    assert len(list(charts._runs(series, 0))) == 2


def test_models_without_the_68_points_have_certainty_and_speed(tmp_path: Path) -> None:
    marks = Landmarks(np.ones((5, 2)), np.tile(np.eye(2), (5, 1, 1)), np.full(5, 0.5), 1.0)
    track = Track(0, marks, np.array([10.0, 10, 50, 60]), Roi(np.zeros(2), 1.0))
    with ReportSink(tmp_path / "out.html", "clip") as sink:
        for index in range(5):
            sink.write(frame(index, track))
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<b>Certainty</b>" in text
    assert "<b>Head pose</b>" not in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize("count", [0, 1])
def test_short_runs_have_a_page(tmp_path: Path, count: int) -> None:
    with ReportSink(tmp_path / "out.html", "clip") as sink:
        for index in range(count):
            sink.write(frame(index, face()))
    assert f"{count}, {count} of them with a face" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("precious")
    with pytest.raises(SinkError, match="exists already; expected a new name, or --overwrite"):
        ReportSink(path, "clip")
    ReportSink(path, "clip", overwrite=True).close()
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
