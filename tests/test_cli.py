"""The command line: what each command leaves, its messages, its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

import cli
from engines.base import CropArray, LandmarkBatch
from engines.fake_engine import FakeEngine
from engines.zoo import DEFAULT_LANDMARKS, zoo_path
from tests.conftest import Clip, FullDisk, MakeClip
from tests.tracker.disc_world import SHAPE, SPEC, DiscDetector, disc_engine, disc_frame
from tracker.sinks.jsonl_sink import read_jsonl
from tracker.types import ImageArray

ROOT = Path(__file__).parents[1]
BOX = "60,35,50,50"
"""Of the disc in the first frame."""


def disc_picture(index: int, width: int, height: int) -> ImageArray:
    return disc_frame([(85 + index, 60, 25)], size=(width, height)).image


@pytest.fixture
def clip(make_clip: MakeClip) -> Clip:
    """Ten frames of a disc that moves to the right by a pixel a frame."""
    return make_clip("disc.mp4", size=(200, 120), picture=disc_picture)


@pytest.fixture(autouse=True)
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discs in place of faces: no model file is read."""
    monkeypatch.setattr("engines.load_engine", lambda path, device, threads: disc_engine())
    monkeypatch.setattr("tracker.detect.fetch.resolve_model", lambda explicit_path: Path("detector.tflite"))
    monkeypatch.setattr("tracker.detect.mediapipe_detector.MediaPipeDetector", lambda path, **options: DiscDetector())
    monkeypatch.setattr("engines.load_detector", lambda path: None)
    monkeypatch.setattr("tracker.detect.zoo_detector.ZooDetector", lambda engine, **options: DiscDetector())


@pytest.fixture
def real_models(fake_models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def done(*words: object) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def message(result: Result, code: int) -> str:
    """The one line of a failure, after the summary of the frames before it."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.stderr
    *summary, line = result.stderr.splitlines()
    assert len(summary) == (0 if not summary else 1)
    assert all("fps" in one for one in summary)
    assert line.startswith("startrack: ")
    return line


def usage(result: Result) -> str:
    """The last line of a wrong usage."""
    assert result.exit_code == 2
    assert "Try 'startrack" in result.stderr
    return result.stderr.splitlines()[-1]


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def test_track_writes_video_csv_jsonl_and_summary(clip: Clip, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"out.{name}" for name in ("mp4", "csv", "jsonl", "json")}
    result = done(
        "track", clip.path, "--save-video", paths["mp4"], "--csv", paths["csv"], "--jsonl", paths["jsonl"],
        "--summary", paths["json"],
    )  # fmt: skip
    assert result.stdout == ""
    assert result.stderr.startswith("10 frames in ")
    assert times_of(paths["mp4"]) == pytest.approx(clip.times_s)
    rows = [line.split(", ") for line in paths["csv"].read_text().splitlines()]
    assert rows[0][:6] == ["frame", "face_id", "timestamp", "confidence", "success", "x_0"]
    assert [row[4] for row in rows[1:]] == ["1"] * 10
    frames = list(read_jsonl(paths["jsonl"]))
    assert [frame.time_s for frame in frames] == pytest.approx(clip.times_s)
    for index, frame in enumerate(frames):
        points = frame.faces[0].landmarks.points
        np.testing.assert_allclose(points, [85 + index, 60] + SHAPE * 25, atol=2)
    summary = json.loads(paths["json"].read_text())
    assert (summary["frames"], summary["faces"], summary["dropped"]) == (10, 1, 0)
    assert {"fps", "latency_ms_p50", "latency_ms_p99"} <= set(summary)


def test_the_summary_goes_to_the_screen_on_request(clip: Clip) -> None:
    assert json.loads(done("track", clip.path, "--summary", "-").stdout)["frames_with_face"] == 10
    assert done("track", clip.path).stdout == ""


def test_a_part_of_the_video(clip: Clip, tmp_path: Path) -> None:
    done("track", clip.path, "--start", "0.1", "--end", "0.3", "--jsonl", tmp_path / "out.jsonl")
    times = [frame.time_s for frame in read_jsonl(tmp_path / "out.jsonl")]
    assert times == pytest.approx([0.12, 0.16, 0.2, 0.24, 0.28])


def test_mirror_exchanges_left_and_right(clip: Clip, tmp_path: Path) -> None:
    done("track", clip.path, "--mirror", "--jsonl", tmp_path / "out.jsonl")
    box = next(read_jsonl(tmp_path / "out.jsonl")).faces[0].box
    assert (box[0] + box[2]) / 2 == pytest.approx(199 - 85, abs=2)


def test_init_box_needs_no_detector(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("tracker.detect.zoo_detector.ZooDetector")
    result = done("track", clip.path, "--init-box", BOX, "--max-faces", "1", "--smooth", "none", "--summary", "-")
    assert json.loads(result.stdout)["frames_with_face"] == 10


@pytest.mark.parametrize("source", ["one.png", "folder", "folder/*.png"])
def test_pictures(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("one.png", "folder/1.png", "folder/2.png"):
        cv2.imwrite(name, disc_picture(0, 200, 120))
    done("track", source, "--jsonl", "out.jsonl", "--save-video", "out.mp4")
    frames = list(read_jsonl("out.jsonl"))
    assert [len(frame.faces) for frame in frames] == [1] * (1 if source == "one.png" else 2)
    assert len(times_of(Path("out.mp4"))) == len(frames)


def test_frames_of_one_pixel_hold_no_face(make_clip: MakeClip, tmp_path: Path) -> None:
    tiny = make_clip("tiny.mkv", frames=3, size=(1, 1)).path
    done("track", tiny, "--jsonl", tmp_path / "out.jsonl", "--save-video", tmp_path / "out.mp4")
    assert [frame.faces for frame in read_jsonl(tmp_path / "out.jsonl")] == [()] * 3
    assert len(times_of(tmp_path / "out.mp4")) == 3


def test_realtime_plays_a_recording_at_its_pace(clip: Clip) -> None:
    started = time.monotonic()
    summary = json.loads(done("track", clip.path, "--realtime", "--summary", "-").stdout)
    assert time.monotonic() - started > clip.times_s[-1]
    # a late frame may be dropped on a busy machine, but not nearly all, as without a pace
    assert summary["frames"] + summary["dropped"] >= 9
    assert summary["frames"] >= 3


def test_sound_that_cannot_be_copied_is_told(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip("clip.mkv", audio="pcm_u8").path
    result = done("track", source, "--save-video", tmp_path / "out.mp4")
    assert "out.mp4: written without sound: pcm_u8 sound cannot be copied into mp4" in result.stderr
    assert len(times_of(tmp_path / "out.mp4")) == 10


def test_closing_the_window_ends_the_run(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen:
        shown = 0

        def __enter__(self) -> Screen:
            return self

        def __exit__(self, *_: object) -> None: ...

        def show(self, image: ImageArray) -> bool:
            self.shown += 1
            return self.shown < 4

    monkeypatch.setattr("tracker.window.Window", lambda title: Screen())
    done("track", clip.path, "--show", "window", "--jsonl", tmp_path / "out.jsonl")
    assert len(list(read_jsonl(tmp_path / "out.jsonl"))) == 4


def test_list_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.video.source.list_devices", lambda: ["/dev/video0", "/dev/video2"])
    assert done("track", "--list-devices").stdout == "/dev/video0\n/dev/video2\n"
    monkeypatch.setattr("tracker.video.source.list_devices", list)
    assert done("track", "--list-devices").stdout == "no cameras\n"


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
    monkeypatch.setattr("engines.load_engine", lambda path, device, threads: disc_engine())
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

    monkeypatch.setattr("engines.load_engine", lambda path, device, threads: FakeEngine(SPEC, look))


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
        (("clip.mp4", "other.mp4"), "other.mp4"),
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
    monkeypatch.setattr("tracker.window.display_problem", lambda: "no display")
    assert "no display; leave out --show" in message(run("track", clip.path, "--show", "window"), 5)


def test_help_states_the_exit_codes() -> None:
    assert cli.__doc__ is not None
    for words in (("--help",), ("track", "--help")):
        text = " ".join(done(*words).stdout.split())
        assert "Exit codes: 0 done, 1 training failed, 2 wrong usage, 3 the source cannot be read" in text
        assert "130 interrupted" in text


def test_every_command_has_a_line_in_the_help_that_is_not_cut() -> None:
    lines = done("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    names = ["track", "demo", "bench", "train", "export", "evaluate", "fetch-models", "doctor"]
    assert [line.split()[0] for line in lines] == names
    assert [line for line in lines if line.endswith("...")] == []


def test_demo_measures_the_known_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    from tracker import demo

    make = demo.make_demo_clip
    monkeypatch.setattr(demo, "make_demo_clip", lambda path, seconds: make(path, seconds=seconds, size=(160, 90)))
    result = done("demo", "--out", tmp_path / "out", "--seconds", "1")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"portrait.mp4", "tracked.mp4", "tracked.jsonl"}
    # a portrait is no disc
    assert "distance from the known motion: " in result.stdout


def test_a_folder_that_cannot_be_made_is_named(clip: Clip) -> None:
    line = message(run("demo", "--out", clip.path / "demo"), 5)
    assert line == f"startrack: {clip.path / 'demo'}: cannot be written: Not a directory"


def test_bench_prints_or_writes_figures(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(frames=34, size=(200, 120), picture=disc_picture).path
    figures = json.loads(done("bench", path).stdout)
    assert (figures["frames"], figures["faces_per_frame"]) == (4, 1.0)
    assert done("bench", path, "--json", tmp_path / "out.json").stdout == ""
    assert set(json.loads((tmp_path / "out.json").read_text())) == set(figures)


def test_bench_needs_frames_to_warm_up(clip: Clip) -> None:
    assert "disc.mp4: 10 frames; expected more than 30" in message(run("bench", clip.path), 3)


@pytest.fixture
def disc_300w(tmp_path: Path) -> Path:
    """The folder of the challenging test set, with discs."""
    from train.data.pts import write_pts

    (tmp_path / "300w" / "ibug").mkdir(parents=True)
    for number in range(3):
        place = np.array([100.0 + 10 * number, 60])
        stem = tmp_path / "300w" / "ibug" / f"image_{number}"
        cv2.imwrite(f"{stem}.png", disc_frame([(*place, 30)], size=(240, 120)).image)
        write_pts(stem.with_suffix(".pts"), place + SHAPE * 30)
    return tmp_path / "300w"


def test_evaluate_writes_figures_plot_and_sheet(disc_300w: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = {name: tmp_path / name for name in ("out.json", "ced.png", "worst.png")}
    result = done(
        "evaluate", "--dataset", "300w", "--data", disc_300w, "--split", "challenging", "--json", paths["out.json"],
        "--plot", paths["ced.png"], "--worst", paths["worst.png"],
    )  # fmt: skip
    assert "| challenging |" in result.stdout
    figures = json.loads(paths["out.json"].read_text())
    assert {"nme", "fr5", "fr8", "fr10", "auc5", "auc8", "auc10"} <= set(figures)
    assert figures["faces"] == 3
    assert figures["nme"] < 5
    for name in ("ced.png", "worst.png"):
        assert cv2.imread(str(paths[name])) is not None


def test_evaluate_gives_figures_alone_on_request(disc_300w: Path) -> None:
    result = done("evaluate", "--data", disc_300w, "--split", "challenging", "--json", "-")
    assert json.loads(result.stdout)["faces"] == 3


def test_evaluate_names_what_is_wrong(disc_300w: Path) -> None:
    assert "no split 'test'; expected one of" in message(run("evaluate", "--data", disc_300w, "--split", "test"), 6)
    assert "expected the published layout of 300W" in message(run("evaluate", "--data", disc_300w), 6)
    for option in ("--json", "--plot", "--worst"):
        line = message(run("evaluate", "--data", disc_300w, option, disc_300w / "nowhere" / "out.png"), 5)
        assert "there is no folder" in line
    assert "expected a name ending in .png" in usage(run("evaluate", "--data", disc_300w, "--plot", "ced.txt"))
    assert "'wflw'" in usage(run("evaluate", "--data", disc_300w, "--dataset", "wflw"))


def test_train_hands_recipe_and_options_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from train import recipes, trainer

    given: list[object] = []

    def train(*arguments: object) -> Path:
        given.extend(arguments)
        return tmp_path / "weights.safetensors"

    monkeypatch.setitem(recipes.RECIPES, "compact-300w", lambda data, **options: (data, options))
    monkeypatch.setattr(trainer, "train", train)
    words = ("train", "--recipe", "compact-300w", "--data", "300w", "--out", tmp_path / "run")
    assert done(*words, "--epochs", "3", "--resume").stdout == f"weights: {tmp_path / 'weights.safetensors'}\n"
    assert given[0] == (Path("300w"), {"backgrounds": None, "seed": 0, "epochs": 3})
    assert given[1] == trainer.TrainingOptions(out=tmp_path / "run", resume=True)

    def fail(*_: object) -> Path:
        raise trainer.TrainingError("step 7: the loss is not finite")

    monkeypatch.setattr(trainer, "train", fail)
    assert message(run(*words), 1) == "startrack: step 7: the loss is not finite"


def test_train_names_what_is_wrong(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    words = ("--data", tmp_path / "300w", "--out", tmp_path / "run")
    assert "'star'; expected one of compact-300w" in usage(run("train", "--recipe", "star", *words))
    assert "afw: no such folder; expected the published" in message(run("train", "--recipe", "compact-300w", *words), 6)
    if not torch.cuda.is_available():
        line = message(run("evaluate", "--data", tmp_path, "--weights", "no.safetensors"), 4)
        assert "no.safetensors: not a readable .safetensors checkpoint" in line


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "train.recipes.load", raising=False)
    monkeypatch.delitem(sys.modules, "engines.torch_engine", raising=False)
    line = message(run("evaluate", "--data", tmp_path, "--weights", "weights.safetensors"), 4)
    assert line == "startrack: torch is not installed; expected: pip install 'startrack[train]'"


def test_export_never_replaces_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    (tmp_path / "out.onnx").write_text("mine")
    words = ("export", "--weights", tmp_path / "weights.safetensors", "--out")
    assert "out.onnx: exists already" in message(run(*words, tmp_path / "out.onnx"), 5)
    assert "expected a name ending in .onnx" in usage(run(*words, tmp_path / "out.json"))
    assert "weights.safetensors: not a readable" in message(run(*words, tmp_path / "new.onnx"), 4)


def test_fetch_models_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.detect.fetch.fetch_models", lambda dest: dest / "detector.tflite")
    assert done("fetch-models", "--dest", tmp_path).stdout == f"{tmp_path / 'detector.tflite'}\n"


def test_doctor_gives_a_line_for_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker import doctor
    from tracker.doctor import Check, Report, Status

    extra, lacking = "optional: pip install 'startrack[train]'", Check("numpy", Status.MISSING, "gone", required=True)
    report = Report((Check("python", Status.OK, "3.11"), Check("torch", Status.MISSING, extra)))
    monkeypatch.setattr(doctor, "diagnose", lambda: report)
    lines = done("doctor").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", "python"], ["missing", "torch"]]
    assert lines[1].endswith(extra)
    monkeypatch.setattr(doctor, "diagnose", lambda: Report((lacking,)))
    assert run("doctor").exit_code == 4


shipped = pytest.mark.skipif(not zoo_path(DEFAULT_LANDMARKS).is_file(), reason="no shipped model in this tree")


def process(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(str(word) for word in words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


@shipped
def test_tracking_loads_no_heavy_package_and_writes_plain_text(clip: Clip, disc_300w: Path, tmp_path: Path) -> None:
    program = """
import sys
from cli import app
for words in sys.argv[1:]:
    try:
        app(words.split("|"))
    except SystemExit as leaving:
        assert not leaving.code, words
print([name for name in ("torch", "mediapipe", "matplotlib", "tensorrt") if name in sys.modules])
"""
    track = f"track|{clip.path}|--init-box|{BOX}|--csv|{tmp_path / 'out.csv'}|--save-video|{tmp_path / 'out.mp4'}"
    evaluate = f"evaluate|--data|{disc_300w}|--split|challenging"
    ended = process("-c", program, "--help", track, evaluate)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
    (line,) = ended.stderr.splitlines()
    assert line.startswith("10 frames in ")
    assert line.isprintable()


@pytest.mark.parametrize("entry", [("cli.py",), ("-m", "cli")], ids=" ".join)
def test_exit_codes_reach_the_shell(entry: tuple[str, ...]) -> None:
    ended = process(*entry, "track", "missing.mp4", "--init-box", "1,1,9,9", "--weights", "missing.onnx")
    assert ended.returncode == 4
    assert ended.stdout == ""
    assert ended.stderr == "startrack: missing.onnx: no such model file; expected a .onnx model\n"


@shipped
def test_ctrl_c_finishes_the_video(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=1500, size=(64, 48))
    # a shell that runs the tests in the background has Ctrl-C ignored, which a child inherits
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli import app; app()"
    words = ("--realtime", "--init-box", "9,9,30,30", "--save-video", tmp_path / "out.mp4", "--jsonl", tmp_path / "out")
    command = [sys.executable, "-c", program, "track", clip.path, *words]
    with subprocess.Popen([str(word) for word in command], cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out").exists() or len((tmp_path / "out").read_bytes().splitlines()) < 5:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stderr.splitlines()[-1] == "startrack: interrupted"
    frames = list(read_jsonl(tmp_path / "out"))
    # the line of a frame is written before its picture
    assert len(frames) - len(times_of(tmp_path / "out.mp4")) in (0, 1)
