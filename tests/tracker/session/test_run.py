"""A run to its sinks: what is written, what is shown, what is checked before; and the pace of a recording."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from disc_world import DiscDetector, disc_engine, disc_frame
from rich.console import Console

from startrack.tracker.pipeline import track_frames
from startrack.tracker.screen.window import open_screen
from startrack.tracker.session.progress import TrackingProgress, expected_frames
from startrack.tracker.session.run import check_outputs, run, write_text
from startrack.tracker.session.statistics import RunStatistics
from startrack.tracker.sinks.base import Sink, SinkError
from startrack.tracker.types import TrackedFrame
from startrack.tracker.video.base import SourceError, VideoInfo

RECORDING = VideoInfo("clip.mp4", 320, 240, 25.0, 250, 10.0, Fraction(1, 25), is_live=False, has_audio=False)
CAMERA = VideoInfo("camera 0", 320, 240, 25.0, None, None, Fraction(1, 90_000), is_live=True, has_audio=False)


class ListSink(Sink):
    def __init__(self) -> None:
        self.indices: list[int] = []

    def write(self, tracked: TrackedFrame) -> None:
        self.indices.append(tracked.frame.index)

    def close(self) -> None:
        raise AssertionError("sinks belong to the caller")


def tracked_frames(count: int, *, then: Exception | None = None) -> Iterator[TrackedFrame]:
    frames = [disc_frame([(100, 100, 30)], index) for index in range(count)]
    yield from track_frames(frames, DiscDetector(), disc_engine())
    if then is not None:
        raise then


def test_every_frame_reaches_every_sink_and_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sinks = [ListSink(), ListSink()]
    run(tracked_frames(5), sinks, summary=tmp_path / "out.json")
    assert [sink.indices for sink in sinks] == [[0, 1, 2, 3, 4]] * 2
    assert json.loads((tmp_path / "out.json").read_text())["frames_with_face"] == 5
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.startswith("5 frames in ")
    assert screen.err.count("\n") == 1


def test_the_run_ends_when_its_user_has_seen_enough() -> None:
    sink = ListSink()
    run(tracked_frames(5), [sink], show_frame=lambda tracked: tracked.frame.index < 2)
    assert sink.indices == [0, 1, 2]


class FailingSink(Sink):
    """Fails from a frame on."""

    def __init__(self, name: str, *, at: int) -> None:
        self.indices: list[int] = []
        self.closed = 0
        self._name, self._at = name, at

    def write(self, tracked: TrackedFrame) -> None:
        if tracked.frame.index >= self._at:
            raise SinkError(f"{self._name}: no space left")
        self.indices.append(tracked.frame.index)

    def close(self) -> None:
        self.closed += 1


def test_a_sink_that_fails_is_closed_and_the_others_go_on(tmp_path: Path) -> None:
    failing, working, said = FailingSink("a.mp4", at=2), ListSink(), list[str]()
    with pytest.raises(SinkError, match=r"1 of 2 outputs ended early: a\.mp4: no space left"):
        run(tracked_frames(5), [failing, working], summary=tmp_path / "out.json", report=said.append)
    assert failing.indices == [0, 1]
    assert failing.closed == 1
    assert working.indices == [0, 1, 2, 3, 4]
    assert said == ["a.mp4: no space left; the other outputs go on"]
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == 5


def test_a_run_without_any_output_left_ends() -> None:
    sinks, said = [FailingSink("a.mp4", at=1), FailingSink("b.csv", at=2)], list[str]()
    with pytest.raises(SinkError, match=r"a\.mp4: no space left"):
        run(tracked_frames(5), sinks, report=said.append)
    assert [sink.indices for sink in sinks] == [[0], [0, 1]]
    assert len(said) == 1


def test_a_run_that_is_watched_goes_on_without_outputs() -> None:
    seen: list[int] = []

    def show(tracked: TrackedFrame) -> bool:
        seen.append(tracked.frame.index)
        return True

    with pytest.raises(SinkError, match="1 of 1 outputs"):
        run(tracked_frames(4), [FailingSink("a.mp4", at=1)], show_frame=show, report=lambda line: None)
    assert seen == [0, 1, 2, 3]


def test_a_source_that_fails_leaves_its_frames_and_the_summary(tmp_path: Path) -> None:
    sink = ListSink()
    with pytest.raises(SourceError, match="cut off"):
        run(tracked_frames(3, then=SourceError("cut off")), [sink], summary=tmp_path / "out.json")
    assert sink.indices == [0, 1, 2]
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == 3


def test_nothing_is_said_of_a_run_without_frames(capsys: pytest.CaptureFixture[str]) -> None:
    run(iter(()), [])
    assert capsys.readouterr().err == ""


def test_text_goes_to_a_file_or_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(Path("-"), "figures")
    assert capsys.readouterr().out == "figures\n"
    write_text(tmp_path / "out.txt", "figures")
    assert (tmp_path / "out.txt").read_text() == "figures\n"
    with pytest.raises(SinkError, match=r"out\.txt: cannot be written: No such file or directory"):
        write_text(tmp_path / "nowhere" / "out.txt", "figures")


def test_outputs_differ_from_the_source_and_each_other(tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_text("video")
    new = tmp_path / "new"
    check_outputs(str(source), (new, None, Path("-")), overwrite=False)
    with pytest.raises(SinkError, match="the screen is named for two outputs"):
        check_outputs(str(source), (Path("-"), None, Path("-")), overwrite=False)
    (tmp_path / "link").symlink_to(source)
    for path in (source, tmp_path / "link"):
        with pytest.raises(SinkError, match="the source itself"):
            check_outputs(str(source), (path,), overwrite=True)
    with pytest.raises(SinkError, match="named for two outputs"):
        check_outputs("rtsp://camera/stream", (new, tmp_path / "." / "new"), overwrite=False)
    with pytest.raises(SinkError, match="exists already"):
        check_outputs("0", (source,), overwrite=False)
    assert not new.exists()


@pytest.mark.parametrize(
    ("info", "start_s", "end_s", "frames"),
    [(RECORDING, 0, None, 250), (RECORDING, 2, 4, 50), (RECORDING, 9.99, 99, 1), (CAMERA, 0, 5, None)],
)
def test_expected_frames(info: VideoInfo, start_s: float, end_s: float | None, frames: int | None) -> None:
    assert expected_frames(info, start_s, end_s) == frames


@pytest.mark.parametrize("total", [5, None])
def test_the_progress_line_shows_speed_faces_latency_and_drops(total: int | None) -> None:
    screen = io.StringIO()
    statistics = RunStatistics()
    with TrackingProgress(total, statistics, Console(file=screen, force_terminal=True, width=100)) as progress:
        for tracked in tracked_frames(1):
            statistics.add(tracked)
            progress.update()
    text = screen.getvalue()
    for part in (" fps · 1 face · p50 ", " ms · 0 dropped", *(["20%"] if total else [])):
        assert part in text


def test_no_progress_where_nobody_looks() -> None:
    screen = io.StringIO()
    with TrackingProgress(5, RunStatistics(), Console(file=screen)) as progress:
        progress.update()
    assert screen.getvalue() == ""


def test_a_window_is_opened_where_it_is_wanted_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.screen.window.display_problem", lambda: "no display")
    lines: list[str] = []
    for show, info in (("none", CAMERA), ("auto", RECORDING), ("auto", CAMERA)):
        with open_screen(show, info, port=0, report=lines.append) as window:
            assert window is None
    assert lines == ["tracking without a window: no display"]
    with pytest.raises(SinkError, match="no display; leave out --show"):
        open_screen("window", RECORDING, port=0)
    monkeypatch.setattr("startrack.tracker.screen.window.display_problem", lambda: None)
    monkeypatch.setattr("startrack.tracker.screen.window._probe", lambda: None)
    for show, info in (("window", RECORDING), ("auto", CAMERA)):
        with open_screen(show, info, port=0) as window:
            assert window is not None
