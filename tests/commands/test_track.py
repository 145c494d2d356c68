"""What `track` leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.sinks.jsonl_sink import read_jsonl
from startrack.tracker.types import ImageArray
from tests.commands.invoke import BOX, ROOT, disc_picture, done, message, run, shipped, times_of, usage
from tests.conftest import Clip, MakeClip
from tests.tracker.disc_world import SHAPE, disc_frame
from tests.tracker.sinks.faces import listener
from tests.tracker.video.loopback import free_port, playing


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
    assert rows[0][:6] == ["frame", "face_id", "timestamp", "confidence", "success", "pose_Tx"]
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


def test_lines_go_to_the_screen_on_request(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = done("track", clip.path, "--jsonl", "-").stdout.splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(10))
    assert done("track", clip.path, "--csv", "-").stdout.startswith("frame, face_id, timestamp")
    assert "named for two outputs" in message(run("track", clip.path, "--jsonl", "-", "--summary", "-"), 5)
    assert not (tmp_path / "-").exists()


def test_a_part_of_the_video(clip: Clip, tmp_path: Path) -> None:
    done("track", clip.path, "--start", "0.1", "--end", "0.3", "--jsonl", tmp_path / "out.jsonl")
    times = [frame.time_s for frame in read_jsonl(tmp_path / "out.jsonl")]
    assert times == pytest.approx([0.12, 0.16, 0.2, 0.24, 0.28])


def test_mirror_exchanges_left_and_right(clip: Clip, tmp_path: Path) -> None:
    done("track", clip.path, "--mirror", "--jsonl", tmp_path / "out.jsonl")
    box = next(read_jsonl(tmp_path / "out.jsonl")).faces[0].box
    assert (box[0] + box[2]) / 2 == pytest.approx(199 - 85, abs=2)


def test_init_box_needs_no_detector(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("startrack.tracker.detect.zoo_detector.ZooDetector")
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


def test_sound_of_a_stream_does_not_end_the_run(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip("clip.ts", frames=30, audio="aac").path
    words = ("track", source, "--save-video", tmp_path / "out.mp4", "--jsonl", tmp_path / "out.jsonl")
    assert "without sound" not in done(*words).stderr
    assert len(times_of(tmp_path / "out.mp4")) == len(list(read_jsonl(tmp_path / "out.jsonl"))) == 30


def test_closing_the_window_ends_the_run(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen:
        shown = 0

        def __enter__(self) -> Screen:
            return self

        def __exit__(self, *_: object) -> None: ...

        def show(self, image: ImageArray, status: object = None) -> bool:
            self.shown += 1
            return self.shown < 4

    monkeypatch.setattr("startrack.tracker.screen.window.Window", lambda title: Screen())
    done("track", clip.path, "--show", "window", "--jsonl", tmp_path / "out.jsonl")
    assert len(list(read_jsonl(tmp_path / "out.jsonl"))) == 4


def test_list_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.video.source.list_devices", lambda: ["/dev/video0", "/dev/video2"])
    assert done("track", "--list-devices").stdout == "/dev/video0\n/dev/video2\n"
    monkeypatch.setattr("startrack.tracker.video.source.list_devices", list)
    assert done("track", "--list-devices").stdout == "no cameras\n"


def test_avatars_get_their_datagrams(clip: Clip) -> None:
    pytest.importorskip("pythonosc")
    with listener() as openseeface, listener() as osc, listener() as vmc:
        ports = [f"127.0.0.1:{one.getsockname()[1]}" for one in (openseeface, osc, vmc)]
        done("track", clip.path, "--openseeface", ports[0], "--osc", ports[1], "--vmc", ports[2])
        packets = [one.recv(65535) for one in (openseeface, osc, vmc)]
    assert len(packets[0]) == 1785
    assert b"/startrack/faces" in packets[1]
    assert b"/VMC/Ext/OK" in packets[2]


def test_the_page_of_a_run(clip: Clip) -> None:
    result = done("track", clip.path, "--show", "web", "--web-port", "0")
    assert "startrack: watch at http://127.0.0.1:" in result.stderr


def test_a_lost_stream_is_waited_for_as_long_as_asked(tmp_path: Path) -> None:
    port = free_port()
    with playing(port, seconds=1.5):
        result = run(
            "track", f"udp://127.0.0.1:{port}?timeout=1500000", "--reconnect", "1", "--show", "none",
            "--jsonl", tmp_path / "out.jsonl",
        )  # fmt: skip
    assert result.exit_code == 3
    assert "trying to open it again for 1 s" in result.stderr
    assert len(list(read_jsonl(tmp_path / "out.jsonl"))) > 5


@shipped
def test_a_video_comes_through_the_standard_input(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip("clip.mkv", frames=6)
    words = ["track", "-", "--init-box", "9,9,30,30", "--jsonl", str(tmp_path / "out.jsonl")]
    with clip.path.open("rb") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "startrack", *words], stdin=file, cwd=ROOT, timeout=100, check=False
        )
    assert ended.returncode == 0
    assert [frame.time_s for frame in read_jsonl(tmp_path / "out.jsonl")] == pytest.approx(clip.times_s)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_video_comes_through_a_pipe(make_clip: MakeClip, tmp_path: Path) -> None:
    clip, pipe = make_clip("clip.mkv", frames=6), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.path.read_bytes()), daemon=True)
    writer.start()
    result = done("track", pipe, "--init-box", "9,9,30,30", "--jsonl", tmp_path / "out.jsonl")
    writer.join()
    assert "pipe: a pipe; its video begins when something writes into it" in result.stderr
    assert [frame.time_s for frame in read_jsonl(tmp_path / "out.jsonl")] == pytest.approx(clip.times_s)


def test_a_folder_of_videos_is_a_batch(make_clip: MakeClip, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name in "ab":
        make_clip(f"videos/{name}.mp4", frames=2)
    message = usage(run("track", tmp_path / "videos"))
    assert "several videos need a folder for their outputs" in message


KILLED = """
import os, sys
from startrack.commands import app
from startrack.tracker.sinks import jsonl_sink
from tests.tracker.disc_world import DiscDetector, disc_engine
import startrack.engines, startrack.tracker.detect.zoo_detector as zoo
startrack.engines.load_engine = lambda path, device, threads: disc_engine()
startrack.engines.load_detector = lambda path: None
zoo.ZooDetector = lambda engine, **options: DiscDetector()
left, write = int(sys.argv[1]), jsonl_sink.JsonlSink.write
def write_or_die(self, tracked):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    write(self, tracked)
jsonl_sink.JsonlSink.write = write_or_die
app.app(sys.argv[2:])
"""


@pytest.mark.parametrize("frames", [0, 4])
def test_the_same_command_begins_again_what_a_kill_left(clip: Clip, tmp_path: Path, frames: int) -> None:
    names = ["out.mp4", "out.csv", "out.jsonl", "out.json", "crops"]
    options = ("--save-video", "--csv", "--jsonl", "--summary", "--save-crops")
    words = [word for option, name in zip(options, names, strict=True) for word in (option, tmp_path / name)]
    command = [sys.executable, "-c", KILLED, str(frames), "track", str(clip.path), *map(str, words)]
    for _ in range(2):  # killed twice
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    again = done("track", clip.path, *words)
    assert f"{tmp_path / 'out.jsonl'}: an earlier run was killed while it wrote this" in again.stderr
    whole = [(tmp_path / name).read_bytes() for name in ("out.csv", "out.jsonl")]
    assert times_of(tmp_path / "out.mp4") == clip.times_s
    assert len(list((tmp_path / "crops").iterdir())) == 10
    assert {path.name for path in tmp_path.iterdir()} == {*names, clip.path.name}
    for name in names[:4]:
        assert "exists already" in message(run("track", clip.path, "--csv", tmp_path / name), 5)
    done("track", clip.path, "--csv", tmp_path / "other.csv", "--jsonl", tmp_path / "other.jsonl")
    assert whole == [(tmp_path / name).read_bytes() for name in ("other.csv", "other.jsonl")]


def test_single_pictures_and_sampled_frames(clip: Clip, tmp_path: Path) -> None:
    for name, left in (("anna", 60), ("bert", 90)):
        image = disc_frame([(left, 60, 25)], size=(200, 120)).image
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    done("track", tmp_path / "*.png", "--jsonl", tmp_path / "stills.jsonl")
    assert [[face.id for face in frame.faces] for frame in read_jsonl(tmp_path / "stills.jsonl")] == [[0], [1]]
    done("track", tmp_path / "*.png", "--no-stills", "--jsonl", tmp_path / "video.jsonl")
    done("track", tmp_path / "*.png", "--fps", "2", "--jsonl", tmp_path / "slow.jsonl")
    assert [frame.time_s for frame in read_jsonl(tmp_path / "slow.jsonl")] == [0, 0.5]
    done("track", clip.path, "--sample-fps", "5", "--jsonl", tmp_path / "few.jsonl", "--summary", tmp_path / "few.json")
    assert [frame.time_s for frame in read_jsonl(tmp_path / "few.jsonl")] == [0, 0.2]
    lines = (tmp_path / "few.jsonl").read_text().splitlines()
    assert [json.loads(line)["start_time_s"] for line in lines] == [0, 0]
    assert json.loads((tmp_path / "few.json").read_text())["start_time_s"] == 0
