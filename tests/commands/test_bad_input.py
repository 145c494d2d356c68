"""Bad input: one line, its exit code, and nothing lost that was written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import av
import pytest
import typer
from typer.testing import Result

import startrack
from startrack.commands import app as cli
from startrack.engines.base import CropArray, LandmarkBatch
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from tests.commands.invoke import BOX, disc_picture, done, message, run, times_of, usage
from tests.conftest import Clip, FullDisk, MakeClip
from tests.tracker.disc_world import SPEC, disc_engine


def write_no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        container.start_encoding()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.mp4", None, "no such file; expected a video, a picture"),
        ("empty.mp4", b"", "an empty file (0 bytes); expected a video"),
        ("noise.mp4", bytes(range(256)) * 40, "not a video"),
        ("text.txt", b"not a video\n" * 50, "expected a"),
        ("broken.png", b"\x89PNG\r\n\x1a\n", "a broken picture"),
    ],
)
def test_what_is_no_video_is_named(name: str, content: bytes | None, expected: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    line = message(run("track", tmp_path / name, "--jsonl", tmp_path / "out.jsonl"), 3)
    assert line.startswith(f"startrack: {tmp_path / name}: ")
    assert expected in line
    assert not (tmp_path / "out.jsonl").exists()


def test_a_video_without_frames_is_named(tmp_path: Path) -> None:
    write_no_frames(tmp_path / "none.mkv")
    assert "none.mkv: no frames; expected at least one" in message(run("track", tmp_path / "none.mkv"), 3)


def test_an_unreadable_file_is_named(clip: Clip) -> None:
    clip.path.chmod(0)
    if os.access(clip.path, os.R_OK):
        pytest.skip("this user may read every file")
    assert "disc.mp4: cannot be opened: Permission denied" in message(run("track", clip.path), 3)


def test_no_camera_is_named() -> None:
    assert "camera 93: " in message(run("track", "93"), 3)


def test_a_cut_off_video_leaves_what_could_be_read(make_clip: MakeClip, tmp_path: Path) -> None:
    whole = make_clip(frames=60, size=(200, 120), picture=disc_picture, movflags="faststart").path
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: -whole.stat().st_size // 3])
    outputs = ("--jsonl", tmp_path / "out.jsonl", "--csv", tmp_path / "out.csv", "--save-video", tmp_path / "out.mp4")
    assert "the file is cut off; frames up to " in message(run("track", cut, *outputs), 3)
    count = len(list(read_jsonl(tmp_path / "out.jsonl")))
    assert 5 < count < 60
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + count
    assert len(times_of(tmp_path / "out.mp4")) == count


@pytest.mark.parametrize("option", ["--save-video", "--csv", "--jsonl", "--summary"])
def test_outputs_are_checked_before_anything_is_read(option: str, clip: Clip, tmp_path: Path) -> None:
    there = tmp_path / "there.mp4"
    there.write_text("mine")
    assert "there.mp4: exists already; expected a new name, or --overwrite" in message(
        run("track", clip.path, option, there), 5
    )
    assert there.read_text() == "mine"
    line = message(run("track", "missing.mp4", option, tmp_path / "nowhere" / "out.mp4"), 5)
    assert f"there is no folder {tmp_path / 'nowhere'}; expected one to write to" in line
    (tmp_path / "folder.mp4").mkdir()
    assert "folder.mp4: a folder; expected the name of a file" in message(
        run("track", clip.path, option, tmp_path / "folder.mp4", "--overwrite"), 5
    )
    done("track", clip.path, option, there, "--overwrite")
    assert there.read_bytes() != b"mine"


@pytest.mark.parametrize("option", ["--save-video", "--csv", "--jsonl", "--summary"])
def test_the_source_is_never_overwritten(option: str, clip: Clip) -> None:
    before = clip.path.read_bytes()
    line = message(run("track", clip.path, option, clip.path, "--overwrite"), 5)
    assert "disc.mp4: the source itself; expected another name" in line
    assert clip.path.read_bytes() == before


def test_two_outputs_are_never_one_file(clip: Clip, tmp_path: Path) -> None:
    line = message(run("track", clip.path, "--csv", tmp_path / "out", "--jsonl", tmp_path / "." / "out"), 5)
    assert "named for two outputs; expected a file for each" in line


def test_a_full_disk_leaves_what_was_written(clip: Clip, tmp_path: Path, full_disk: FullDisk) -> None:
    with full_disk(12_000):
        result = run("track", clip.path, "--jsonl", tmp_path / "out.jsonl")
    assert "out.jsonl: cannot be written: File too large" in message(result, 5)
    assert 0 < len(list(read_jsonl(tmp_path / "out.jsonl"))) < 10


@pytest.mark.usefixtures("real_models")
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.onnx", None, "no such model file"),
        ("damaged.onnx", b"not a model", "not an ONNX model that can be loaded"),
        ("wrong.tflite", b"TFL3", "no engine runs '.tflite'; expected .onnx"),
    ],
)
def test_a_wrong_model_is_named(name: str, content: bytes | None, expected: str, clip: Clip, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    line = message(run("track", clip.path, "--weights", tmp_path / name, "--init-box", BOX), 4)
    assert name in line
    assert expected in line


@pytest.mark.usefixtures("real_models")
@pytest.mark.parametrize("detector", ["zoo", "mediapipe", "yunet"])
def test_a_wrong_detector_model_is_named(clip: Clip, detector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.engines.load_engine", lambda path, device, threads: disc_engine())
    result = run("track", clip.path, "--detector", detector, "--detector-model", "missing.onnx")
    assert "missing.onnx: no such " in message(result, 4)


def test_yunet_needs_a_model(clip: Clip) -> None:
    assert "expected YuNet's .onnx file" in usage(run("track", clip.path, "--detector", "yunet"))


def from_the_fourth_call(monkeypatch: pytest.MonkeyPatch, then: type[BaseException] | float) -> None:
    """Use an engine that gives `then` as a landmark, or raises it, on and after the fourth frame."""
    good, calls = disc_engine(), 0

    def look(crops: CropArray) -> LandmarkBatch:
        nonlocal calls
        calls += 1
        batch = good(crops)
        if calls < 5:  # the first frame is read twice, to find the crop and then the landmarks
            return batch
        if not isinstance(then, float):
            raise then
        points = batch.points.copy()
        points[0, 30] = then
        return replace(batch, points=points)

    monkeypatch.setattr("startrack.engines.load_engine", lambda path, device, threads: FakeEngine(SPEC, look))


def track_three_frames(clip: Clip, tmp_path: Path) -> Result:
    """Run on; check that every output holds the frames before the failure."""
    outputs = ("--jsonl", tmp_path / "out.jsonl", "--csv", tmp_path / "out.csv", "--save-video", tmp_path / "out.mp4")
    result = run("track", clip.path, *outputs, "--summary", tmp_path / "out.json")
    assert [len(frame.faces) for frame in read_jsonl(tmp_path / "out.jsonl")] == [1, 1, 1]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    assert times_of(tmp_path / "out.mp4") == pytest.approx(clip.times_s[:3])
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == 3
    return result


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_landmarks_that_are_no_numbers_name_the_frame(
    value: float, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_the_fourth_call(monkeypatch, value)
    line = message(track_three_frames(clip, tmp_path), 4)
    assert line == "startrack: disc: frame 3: landmarks that are not finite numbers"


def test_an_interruption_finishes_the_outputs(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_the_fourth_call(monkeypatch, KeyboardInterrupt)
    assert message(track_three_frames(clip, tmp_path), 130) == "startrack: interrupted"


def test_a_fault_of_our_own_shows_where_it_is(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_the_fourth_call(monkeypatch, ZeroDivisionError)
    assert isinstance(track_three_frames(clip, tmp_path).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "source: missing; expected a file, folder, URL or camera index"),
        (("clip.mp4", "--save-vid", "out.mp4"), "--save-video"),
        (("clip.mp4", "--max-faces", "0"), "--max-faces"),
        (("clip.mp4", "--max-faces", "many"), "--max-faces"),
        (("clip.mp4", "--threads", "-1"), "--threads"),
        (("clip.mp4", "--start", "-1"), "--start"),
        (("clip.mp4", "--detector", "cascade"), "cascade"),
        (("clip.mp4", "--show", "maybe"), "maybe"),
        (("clip.mp4", "other.mp4"), "several videos need a folder for their outputs"),
        (("clip.mp4", "--save-video", "out.jpg"), "'out.jpg'; expected a name ending in .mp4"),
    ],
)
def test_wrong_usage_is_named(words: tuple[str, ...], expected: str) -> None:
    assert expected in usage(run("track", *words))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("1,2,3", "expected X,Y,W,H in pixels"),
        ("1,2,3,-4", "expected a width and a height above 0"),
        ("300,10,20,20", "expected a face in the picture of 200×120 pixels"),
    ],
)
def test_a_wrong_init_box_is_named(box: str, expected: str, clip: Clip) -> None:
    line = usage(run("track", clip.path, "--init-box", box))
    assert "--init-box" in line
    assert f"{box!r}; {expected}" in line


def test_a_part_that_is_none_is_named(clip: Clip) -> None:
    assert "expected 0 <= start < end" in message(run("track", clip.path, "--start", "0.2", "--end", "0.1"), 3)
    assert "no frames from 7 s to its end" in message(run("track", clip.path, "--start", "7"), 3)


def test_half_a_camera_size_is_named() -> None:
    assert "width 640, height None; expected both or none" in message(run("track", "0", "--width", "640"), 3)


def test_a_window_without_a_display_is_named(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.screen.window.display_problem", lambda: "no display")
    assert "no display; leave out --show" in message(run("track", clip.path, "--show", "window"), 5)


def test_help_states_the_exit_codes() -> None:
    assert cli.__doc__ is not None
    for words in (("--help",), ("track", "--help")):
        text = " ".join(done(*words).stdout.split())
        assert "Exit codes: 0 done, 1 training failed or a plan is not as asked for, 2 wrong usage" in text
        assert "130 interrupted" in text


def test_every_command_has_a_line_in_the_help_that_is_not_cut() -> None:
    lines = done("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    first_sentences = {name: command.get_short_help_str(200) for name, command in commands.items()}
    assert {line.split()[0]: line.split(maxsplit=1)[1] for line in lines} == first_sentences
    assert max(map(len, lines)) <= 80


def test_short_help_and_version() -> None:
    assert done("track", "-h").stdout == done("track", "--help").stdout
    assert done("--version").stdout == f"startrack {startrack.__version__}\n"
    assert "Did you mean 'track'" in usage(run("trac"))


def test_figures_replace_no_file_of_another_kind(clip: Clip, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    assert "exists and is no .json file; expected a name ending in .json" in usage(
        run("bench", clip.path, "--json", model)
    )
    assert model.read_bytes() == b"weights"
