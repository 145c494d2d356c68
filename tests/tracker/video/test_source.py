from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video import source
from startrack.tracker.video.base import SourceError, mirror
from startrack.tracker.video.buffer import latest, prefetch
from startrack.tracker.video.source import list_devices, open_camera, open_source, read_video
from startrack.tracker.video.timeline import Timeline
from tests.tracker.video.noise import noise

if TYPE_CHECKING:
    from tests.conftest import MakeClip


def frames_of(path: Path, **part: float) -> list[Frame]:
    with read_video(path, **part) as video:  # type: ignore[arg-type]
        return list(video)


def times_of(path: Path, **part: float) -> list[float]:
    return [frame.time_s for frame in frames_of(path, **part)]


def readable_until_error(path: Path) -> tuple[list[Frame], str]:
    frames = []
    with pytest.raises(SourceError) as error, read_video(path) as video:
        frames.extend(video)  # extend keeps what came before the error
    return frames, str(error.value)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.gif", "clip.mpg", "a:b 100%.mp4"])
def test_every_container_gives_every_frame(make_clip: MakeClip, name: str) -> None:
    clip = make_clip(name, frames=12)
    frames = frames_of(clip.path)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx(clip.times_s, abs=1e-9)
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((48, 64, 3), np.uint8)
        assert frame.image.flags.c_contiguous
        # left half, lower: 40 + 5·index; GIF has 8 levels of grey
        level = frame.image[30:, :30].mean()
        assert level == pytest.approx(40 + 5 * frame.index, abs=24 if name.endswith("gif") else 6)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
def test_variable_frame_times_are_exact(make_clip: MakeClip, name: str) -> None:
    clip = make_clip(name, frames=20, vfr=True)
    assert times_of(clip.path) == clip.times_s


def test_info_is_known_before_the_first_frame(make_clip: MakeClip) -> None:
    clip = make_clip(frames=50, rotation=90, audio="aac")
    with read_video(clip.path) as video:
        info = video.info
    assert (info.name, info.width, info.height) == (str(clip.path), 48, 64)
    assert (info.fps, info.frame_count, info.duration_s) == (25, 50, 2)
    assert (info.time_base, info.is_live, info.has_audio) == (Fraction(1, 90_000), False, True)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_applied(make_clip: MakeClip, rotation: int, turns: int) -> None:
    stored = frames_of(make_clip("stored.mp4", frames=1).path)[0].image
    upright = frames_of(make_clip("turned.mp4", frames=1, rotation=rotation).path)[0].image
    np.testing.assert_array_equal(upright, np.rot90(stored, turns))
    assert upright.flags.c_contiguous


def test_mirror_exchanges_left_and_right_and_closes_its_source(make_clip: MakeClip) -> None:
    path = make_clip(frames=3).path
    video = read_video(path)
    with mirror(video) as mirrored:
        assert mirrored.info == video.info
        first = next(iter(mirrored))
    np.testing.assert_array_equal(first.image, frames_of(path)[0].image[:, ::-1])
    with pytest.raises(StopIteration):
        next(video)


def test_one_pixel(make_clip: MakeClip) -> None:
    frames = frames_of(make_clip("tiny.mkv", size=(1, 1), frames=3).path)
    assert [frame.image.shape for frame in frames] == [(1, 1, 3)] * 3


@pytest.mark.parametrize(
    "name",
    ["clip.mp4", "clip.gif", "clip.mpg", "clip.mkv", "clip.ts", "clip.h264", "clip.avi", "clip.webm", "clip.flv"],
)
@pytest.mark.parametrize("start_s", [0.0, 0.36, 0.37, 3.0])
def test_a_part_holds_the_same_frames_as_the_whole(make_clip: MakeClip, name: str, start_s: float) -> None:
    path = make_clip(name, frames=100).path
    expected = [time_s for time_s in times_of(path) if start_s <= time_s < 3.2]
    part = frames_of(path, start_s=start_s, end_s=3.2)
    assert [frame.time_s for frame in part] == expected
    assert [frame.index for frame in part] == list(range(len(expected)))


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, 1.0), (2.0, 2.0)])
def test_a_senseless_part_is_refused(make_clip: MakeClip, start_s: float, end_s: float) -> None:
    with pytest.raises(SourceError, match="expected 0 <= start < end"):
        read_video(make_clip().path, start_s=start_s, end_s=end_s)


@pytest.mark.parametrize("start_s", [0.5, 100.0])
def test_a_part_beyond_the_end_is_refused(make_clip: MakeClip, start_s: float) -> None:
    with pytest.raises(SourceError, match=f"no frames from {start_s:g} s to its end"):
        read_video(make_clip(frames=10).path, start_s=start_s)


def test_a_cut_off_mp4_gives_its_frames_then_says_so(make_clip: MakeClip) -> None:
    path = make_clip(frames=60, size=(160, 120), movflags="faststart", picture=noise).path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    frames, message = readable_until_error(path)
    assert 10 < len(frames) < 50
    assert f"{path}: the file is cut off; frames up to {frames[-1].time_s:.3f} s were read" == message


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.avi", "clip.ts"])
def test_a_cut_off_file_of_any_container_is_named(make_clip: MakeClip, name: str) -> None:
    path = make_clip(name, frames=60, size=(160, 120), picture=noise).path
    whole = path.read_bytes()
    assert len(frames_of(path)) == 60
    path.write_bytes(whole[: len(whole) * 6 // 10 // 188 * 188 + 77])
    frames, message = readable_until_error(path)
    assert 10 < len(frames) < 60
    assert "the file is cut off" in message or "damaged packet" in message
    assert f"frames up to {frames[-1].time_s:.3f} s were read" in message


def test_a_damaged_packet_costs_no_other_frame(make_clip: MakeClip) -> None:
    path = make_clip("clip.mov", frames=30, picture=noise).path
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][15]
        position, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    frames, message = readable_until_error(path)
    assert len(frames) >= 28
    assert "1 damaged packet (Invalid data" in message
    assert f"frames up to {frames[-1].time_s:.3f} s were read" in message


def test_an_index_that_is_missing_is_named(make_clip: MakeClip) -> None:
    path = make_clip(frames=30, picture=noise).path
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(SourceError, match="cut off before its index; expected any video file"):
        read_video(path)


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))


def write_no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("gone.mp4", lambda path: None, "no such file; expected a video, a picture"),
        ("empty.mp4", Path.touch, r"an empty file \(0 bytes\); expected a video"),
        ("notes.txt", lambda path: path.write_text("not a video\n" * 100), "a text file; expected a video"),
        ("junk.mp4", lambda path: path.write_bytes(b"\1\2\3\4" * 500), "not a video"),
        ("sound.wav", write_sound, "only sound in it; expected a video"),
        ("none.mkv", write_no_frames, "no frames; expected at least one"),
        ("none.mp4", write_no_frames, "no video that can be decoded in it; expected a video"),
        ("folder", Path.mkdir, "a folder without pictures"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, name: str, write: Callable[[Path], object], message: str) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(SourceError, match=message) as error:
        open_source(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_folder_is_no_video_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a folder; expected a video file"):
        read_video(tmp_path)


def test_a_camera_that_is_missing_is_named() -> None:
    with pytest.raises(SourceError, match=r"^camera 99: .*; cameras found: "):
        open_source("99")
    with pytest.raises(SourceError, match="expected both or none"):
        open_camera(0, width=640)
    assert isinstance(list_devices(), list)


@pytest.mark.parametrize(
    ("source", "asked", "message"),
    [
        ("clip.mp4", {"width": 640, "height": 480}, "asked of something that is not a camera"),
        ("0", {"start_s": 2.0}, "expected a video, which has times"),
        ("*.png", {"end_s": 2.0}, "expected a video, which has times"),
        ("rtsp://user:secret@127.0.0.1:1/live", {}, r"rtsp://user:\*\*\*@127.0.0.1:1/live: cannot be opened"),
        ("rtsp://[::1/live", {}, "not a URL"),
        ("-", {"start_s": 2.0}, "standard input: read from 2 s; expected a file"),
        ("", {}, "an empty name; expected a video"),
        ("  ", {}, "an empty name"),
    ],
)
def test_what_cannot_be_opened_is_named(source: str, asked: dict[str, float], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(source, **asked)  # type: ignore[arg-type]


def test_threads_own_the_video_they_read(make_clip: MakeClip) -> None:
    clip = make_clip(frames=30)
    with read_video(clip.path) as video, prefetch(mirror(video)) as frames:
        assert [frame.time_s for frame in frames] == pytest.approx(clip.times_s)
    with latest(read_video(clip.path)) as newest:
        indices = [frame.index for frame in newest]
    assert indices == sorted(set(indices))
    assert indices[-1] == 29


def test_timeline_repairs_what_the_container_lies_about() -> None:
    timeline = Timeline(100, Fraction(1, 1000), Fraction(25))
    given = [100, 140, 140, 130, None, 260, 9000, 100, 140]
    assert [timeline.time_s(pts) for pts in given] == [0, 0.04, 0.041, 0.042, 0.082, 0.16, 8.9, 8.94, 8.98]


def test_so_many_frames_of_each_second(make_clip: MakeClip) -> None:
    clip = make_clip("clip.mp4", frames=50)
    with read_video(clip.path, sample_fps=5) as video:
        assert (video.info.fps, video.info.frame_count) == (5, 10)
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time_s for frame in frames] == pytest.approx([0.2 * step for step in range(10)])
    # of steps that no frame falls on, the first frame after it
    assert times_of(clip.path, sample_fps=10)[:4] == pytest.approx([0, 0.12, 0.2, 0.32])
    assert times_of(clip.path, sample_fps=1000) == clip.times_s
    assert times_of(clip.path, sample_fps=5, start_s=0.5, end_s=1.1) == pytest.approx([0.52, 0.6, 0.8, 1.0])
    with pytest.raises(SourceError, match="0 frames a second asked for"):
        read_video(clip.path, sample_fps=0)


def test_where_the_picture_begins_after_the_sound_is_known(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=48_000)
        for number in range(60):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48_000, 1024 * number, Fraction(1, 48_000)
            container.mux(sound.encode(tone))
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = 12 + number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode())
    with read_video(path) as opened:
        assert opened.info.start_time_s == pytest.approx(0.48, abs=0.011)
        assert next(opened).time_s == 0


def test_pictures_that_are_too_large_are_refused_from_the_header(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip("clip.mp4", size=(640, 480), frames=2)
    for module in ("base", "packets"):
        monkeypatch.setattr(f"startrack.tracker.video.{module}.LARGEST_PIXELS", 300_000)
    with pytest.raises(SourceError, match=r"640 × 480 pixels; expected at most 0 million"):
        read_video(clip.path)


def test_pictures_that_become_too_large_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grows.h264"
    with path.open("wb") as file:
        for size in ((64, 48), (640, 480)):
            codec = av.CodecContext.create("libx264", "w")
            codec.width, codec.height, codec.pix_fmt, codec.time_base = *size, "yuv420p", Fraction(1, 25)
            codec.options = {"bf": "0"}
            for number in range(4):
                frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), format="rgb24")
                frame.pts = number
                file.writelines(bytes(packet) for packet in codec.encode(frame))
            file.writelines(bytes(packet) for packet in codec.encode())
    for module in ("base", "packets"):
        monkeypatch.setattr(f"startrack.tracker.video.{module}.LARGEST_PIXELS", 100_000)
    opened, short = source.open_container, {"probesize": "500", "analyzeduration": "1"}
    # what is read to recognise the file ends before its pictures grow
    monkeypatch.setattr(source, "open_container", lambda name, url: opened(name, url, options=short))
    frames, message = readable_until_error(path)
    assert [frame.width for frame in frames] == [64] * 4
    assert "damaged packet" in message


def test_the_contracts_load_no_av() -> None:
    modules = ", ".join(
        f"startrack.tracker.{name}" for name in ("video.base", "video.buffer", "sinks.base", "sinks.jsonl_sink")
    )
    code = f"import sys, {modules}; sys.exit('av' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


CLIPS = {
    "04_webcam_cap13.mp4": (400, 300),
    "05_pexels_woman_hands_occlusion.mp4": (640, 360),
    "06_face_then_noface.mov": (960, 540),
    "07_noface_then_face.mov": (960, 540),
    "08_single_face.mp4": (640, 360),
    "09_noface_cartoon.mp4": (960, 540),
    "10_classroom_many_faces.mp4": (1280, 720),
    "12_intel_walk_pause_3faces.gif": (480, 270),
    "14_intel_headpose_2faces.gif": (480, 270),
    "15_intel_headpose_female_yaw.gif": (480, 270),
    "17_intel_asl_hand_over_face.mkv": (640, 480),
    "27_hamilton_dark_cuts.mp4": (640, 360),
    "40_grid_speaker.mpg": (360, 288),
}


@pytest.mark.data
@pytest.mark.parametrize("name", CLIPS)
def test_real_clips(data_dir: Path, name: str) -> None:
    with read_video(data_dir / "clips" / name, end_s=0.3) as video:
        frames = list(video)
    assert frames[0].time_s == 0
    assert 3 <= len(frames) <= 10
    assert {(frame.width, frame.height) for frame in frames} == {CLIPS[name]}
    assert len({frame.time_s for frame in frames}) == len(frames)
    assert all(frame.image.flags.c_contiguous for frame in frames)
