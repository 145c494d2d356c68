from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.mp4_sink import Mp4Sink
from startrack.tracker.types import Frame, ImageArray, StageLatency, TrackedFrame
from startrack.tracker.video.base import LIVE_TIME_BASE, Colours, SourceError, VideoInfo
from startrack.tracker.video.source import read_video

if TYPE_CHECKING:
    from tests.conftest import FullDisk, MakeClip

INFO = VideoInfo("made up", 64, 48, 25, None, None, LIVE_TIME_BASE, is_live=True, has_audio=False)


def picture(tracked: TrackedFrame) -> ImageArray:
    return tracked.frame.image


def tracked(frame: Frame) -> TrackedFrame:
    return TrackedFrame(frame, (), StageLatency())


def grey_frames(times_s: Iterable[float], width: int = 64, height: int = 48) -> list[TrackedFrame]:
    image = np.full((height, width, 3), 128, np.uint8)
    return [tracked(Frame(image, index, time_s)) for index, time_s in enumerate(times_s)]


def copy_video(source: Path, path: Path, start_s: float = 0.0, end_s: float | None = None) -> Mp4Sink:
    with read_video(source, start_s=start_s, end_s=end_s) as video:
        sink = Mp4Sink(path, video.info, draw=picture, audio_from=source)
        with sink:
            for frame in video:
                sink.write(tracked(frame))
    return sink


def times_of(path: Path) -> list[float]:
    with read_video(path) as video:
        return [frame.time_s for frame in video]


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    """Time and content of every packet of sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = container.demux(audio=0)
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets if packet.size]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.gif", "clip.mkv"])
def test_variable_frame_times_are_kept(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    clip = make_clip(name, frames=40, vfr=True)
    copy_video(clip.path, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4") == pytest.approx(clip.times_s, abs=1e-9)


def test_the_picture_is_kept(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=5)
    copy_video(clip.path, tmp_path / "out.mp4")
    with read_video(clip.path) as before, read_video(tmp_path / "out.mp4") as after:
        for first, second in zip(before, after, strict=True):
            assert np.abs(first.image.astype(int) - second.image).mean() < 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].pix_fmt == "yuv420p"


def test_sound_is_copied_for_as_long_as_frames_are_written(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip(frames=75, audio="aac").path
    assert copy_video(source, tmp_path / "whole.mp4").note is None
    assert sound_of(tmp_path / "whole.mp4") == sound_of(source)

    copy_video(source, tmp_path / "part.mp4", 1.0, 2.0)
    assert times_of(tmp_path / "part.mp4") == pytest.approx([index / 25 for index in range(25)])
    moved = {content: time_s for time_s, content in sound_of(tmp_path / "part.mp4")}
    kept = [(time_s - 1, content) for time_s, content in sound_of(source) if 0 <= time_s - 1 < 1]
    assert [moved[content] for _, content in kept] == pytest.approx([time_s for time_s, _ in kept], abs=1e-4)
    assert min(moved.values()) >= -0.1
    assert max(moved.values()) < 1


def loudness(path: Path) -> list[float]:
    """Root mean square of each tenth of a second of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.rate
        frames = [frame.to_ndarray().astype(np.float64).mean(axis=0) for frame in container.decode(stream)]
    samples = np.concatenate(frames)
    tenths = samples[: len(samples) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    return list(np.sqrt((tenths**2).mean(axis=1)))


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.mkv", "pcm_s16le"), ("clip.mkv", "libmp3lame"), ("clip.mkv", "flac"), ("clip.ts", "aac")]
)
def test_sound_that_not_every_player_plays_becomes_aac(
    make_clip: MakeClip, tmp_path: Path, name: str, codec: str
) -> None:
    source = make_clip(name, frames=50, audio=codec).path
    assert copy_video(source, tmp_path / "out.mp4").note is None
    assert len(times_of(tmp_path / "out.mp4")) == 50
    heard = loudness(tmp_path / "out.mp4")
    assert min(heard[2:-2]) > 0.4  # the tone is there from beginning to end
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) == pytest.approx(
            2, abs=0.15
        )


def test_sound_that_cannot_be_read_is_left_out_with_a_note(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no such sound")

    monkeypatch.setattr("startrack.tracker.sinks.sound.Sound._add", refuse)
    source = make_clip("clip.mkv", frames=10, audio="aac").path
    sink = copy_video(source, tmp_path / "out.mp4")
    assert sink.note is not None
    assert "written without sound: no such sound" in sink.note
    assert len(times_of(tmp_path / "out.mp4")) == 10
    assert sound_of(tmp_path / "out.mp4") == []


def test_the_finished_file_has_its_index_first(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=40, audio="aac", vfr=True)
    copy_video(clip.path, tmp_path / "out.mp4")
    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert times_of(tmp_path / "out.mp4") == pytest.approx(clip.times_s, abs=1e-9)
    assert sound_of(tmp_path / "out.mp4") == sound_of(clip.path)
    with read_video(clip.path) as before, read_video(tmp_path / "out.mp4") as after:
        for first, second in zip(before, after, strict=True):
            assert np.abs(first.image.astype(int) - second.image).mean() < 2


def test_a_source_without_sound_needs_no_note(make_clip: MakeClip, tmp_path: Path) -> None:
    assert copy_video(make_clip().path, tmp_path / "out.mp4").note is None


@pytest.mark.parametrize(("size", "even"), [((1, 1), (2, 2)), ((33, 17), (34, 18)), ((64, 47), (64, 48))])
def test_odd_sizes_are_padded(tmp_path: Path, size: tuple[int, int], even: tuple[int, int]) -> None:
    with Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture) as sink:
        for frame in grey_frames([0, 0.04, 0.08], *size):
            sink.write(frame)
    with read_video(tmp_path / "out.mp4") as video:
        images = [frame.image for frame in video]
    assert [image.shape for image in images] == [(even[1], even[0], 3)] * 3
    np.testing.assert_allclose(images[0], 128, atol=2)


def test_a_picture_longer_than_the_encoder_takes_is_made_smaller(tmp_path: Path) -> None:
    with Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture) as sink:
        sink.write(grey_frames([0.0], 30_001, 40)[0])
    with read_video(tmp_path / "out.mp4") as video:
        assert (video.info.width, video.info.height) == (16_384, 22)


def test_pictures_of_another_size_are_fitted(tmp_path: Path) -> None:
    with Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture) as sink:
        sink.write(grey_frames([0.0], 64, 48)[0])
        sink.write(grey_frames([0.04], 24, 48)[0])
    with read_video(tmp_path / "out.mp4") as video:
        _, second = (frame.image for frame in video)
    np.testing.assert_allclose(second[:, 24:40], 128, atol=4)
    np.testing.assert_allclose(second[:, :16], 0, atol=4)


RED = np.array([200, 60, 30])
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Of red and blue in the luma, by code point: ISO/IEC 23091-2, table 4."""


def stored(matrix: int, *, full: bool, bits: int) -> list[int]:
    """Y, Cb and Cr of RED."""
    red, green, blue = RED / 255
    of_red, of_blue = WEIGHTS[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    chroma = [(blue - luma) / (2 * (1 - of_blue)), (red - luma) / (2 * (1 - of_red))]
    most, half, step = 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 8)
    if full:
        return [round(luma * most), *(round(value * most + half) for value in chroma)]
    return [round((16 + 219 * luma) * step), *(round((128 + 224 * value) * step) for value in chroma)]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "primaries", "transfer"),
    [(1, 1, 1), (5, 5, 1), (6, 6, 6), (7, 7, 7), (9, 9, 14), (9, 9, 16), (9, 9, 18), (1, 12, 13), (1, 2, 2)],
)
def test_colours_and_the_shape_of_pixels_are_kept(
    tmp_path: Path, matrix: int, primaries: int, transfer: int, full: bool, bits: int
) -> None:
    path, pixels = tmp_path / "source.mkv", "yuv420p" if bits == 8 else "yuv420p10le"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        codec = stream.codec_context
        codec.colorspace, codec.color_primaries, codec.color_trc = matrix, primaries, transfer
        codec.color_range, codec.sample_aspect_ratio = 2 if full else 1, Fraction(64, 45)
        frame = av.VideoFrame(64, 48, pixels)
        for plane, value in zip(frame.planes, stored(matrix, full=full, bits=bits), strict=True):
            kind = np.dtype(np.uint8 if bits == 8 else np.uint16)
            plane.update(np.full(plane.buffer_size // kind.itemsize, value, kind).tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    copy_video(path, tmp_path / "out.mp4")
    wanted = Colours(matrix, primaries, transfer, full)
    for file in (path, tmp_path / "out.mp4"):
        with read_video(file) as video:
            assert video.info.colours == wanted
            assert video.info.sample_aspect_ratio == Fraction(64, 45)
            (frame,) = video
            assert np.abs(frame.image[24, 32] - RED).max() <= 5


def test_colours_that_are_not_known_are_written_as_bt709(make_clip: MakeClip, tmp_path: Path) -> None:
    copy_video(make_clip("clip.mkv").path, tmp_path / "out.mp4")
    copy_video(make_clip("clip.gif").path, tmp_path / "gif.mp4")
    for name in ("out.mp4", "gif.mp4"):
        with read_video(tmp_path / name) as video:
            assert video.info.colours == Colours(1, 1, 1, False)


def test_dropped_frames_and_a_late_start_leave_gaps(tmp_path: Path) -> None:
    with Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture) as sink:
        for frame in grey_frames([10.0, 10.04, 11.5, 11.500001]):
            sink.write(frame)
    # two frames on one tick of the clock: the later one moves by a tick
    assert times_of(tmp_path / "out.mp4") == pytest.approx([0, 0.04, 1.5, 1.5 + 1 / 90_000])


def test_an_interrupted_run_leaves_a_whole_mp4(tmp_path: Path) -> None:
    def write_and_interrupt() -> None:
        with Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture) as sink:
            for frame in grey_frames([0, 0.04, 0.08]):
                sink.write(frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_interrupt()
    assert times_of(tmp_path / "out.mp4") == pytest.approx([0, 0.04, 0.08])


def test_a_killed_run_leaves_all_but_the_last_moments(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=150, audio="aac")
    code = f"""
import os
from startrack.tracker.sinks.mp4_sink import Mp4Sink
from startrack.tracker.types import StageLatency, TrackedFrame
from startrack.tracker.video.source import read_video
video = read_video({str(clip.path)!r})
sink = Mp4Sink("out.mp4", video.info, draw=lambda tracked: tracked.frame.image, audio_from={str(clip.path)!r})
for frame in video:
    sink.write(TrackedFrame(frame, (), StageLatency()))
os._exit(9)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment).returncode == 9
    times = times_of(tmp_path / "out.mp4")
    assert times == pytest.approx(clip.times_s[: len(times)])
    assert times[-1] > 3.5
    assert sound_of(tmp_path / "out.mp4")[-1][0] > 3.5


def test_a_third_of_a_second_is_enough_for_a_file_that_plays(tmp_path: Path) -> None:
    code = """
import os, numpy as np
from startrack.tracker.sinks.mp4_sink import Mp4Sink
from startrack.tracker.types import Frame, StageLatency, TrackedFrame
from startrack.tracker.video.base import VideoInfo
from fractions import Fraction
info = VideoInfo("clip", 320, 240, 25.0, None, None, Fraction(1, 90000), False, False)
sink = Mp4Sink("out.mp4", info, draw=lambda tracked: tracked.frame.image)
for index in range(9):
    image = np.random.default_rng(index).integers(0, 255, (240, 320, 3), np.uint8)
    sink.write(TrackedFrame(Frame(image, index, index / 25), (), StageLatency()))
os._exit(9)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment).returncode == 9
    times = times_of(tmp_path / "out.mp4")
    assert len(times) >= 3
    assert times == pytest.approx([index / 25 for index in range(len(times))])


def test_no_frames_leave_no_file(tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "out.mp4", INFO, draw=picture)
    sink.close()
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_cannot_be_drawn_leaves_the_others(tmp_path: Path) -> None:
    first, second = grey_frames([0, 0.04])
    with Mp4Sink(tmp_path / "out.mp4", INFO, draw=lambda given: {0: given.frame.image}[given.frame.index]) as sink:
        sink.write(first)
        with pytest.raises(KeyError):
            sink.write(second)
    sink.close()
    assert times_of(tmp_path / "out.mp4") == [0]


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("precious")
    with pytest.raises(SinkError, match=r"out\.mp4: exists already; expected a new name, or --overwrite"):
        Mp4Sink(path, INFO, draw=picture)
    Mp4Sink(path, INFO, draw=picture, overwrite=True).close()
    assert path.read_text() == "precious"
    with Mp4Sink(path, INFO, draw=picture, overwrite=True) as sink:
        sink.write(grey_frames([0])[0])
    assert times_of(path) == [0]


def test_the_source_is_never_overwritten(make_clip: MakeClip) -> None:
    path = make_clip().path
    with read_video(path) as video, pytest.raises(SinkError, match="the source itself"):
        Mp4Sink(path, video.info, draw=picture, overwrite=True)


def test_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="there is no folder"):
        Mp4Sink(tmp_path / "gone" / "out.mp4", INFO, draw=picture)


def test_a_full_disk_is_named_and_leaves_the_others(tmp_path: Path, full_disk: FullDisk) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 96, 128, 3), np.uint8)

    def write_all() -> None:
        with Mp4Sink(tmp_path / "out.mp4", INFO, draw=lambda given: noise[given.frame.index]) as sink:
            for frame in grey_frames(np.arange(120) * 0.1):
                sink.write(frame)

    with full_disk(400_000), pytest.raises(SinkError, match=r"out\.mp4: cannot be (written|finished): "):
        write_all()
    frames = []
    with pytest.raises(SourceError, match="the file is cut off"), read_video(tmp_path / "out.mp4") as video:
        frames.extend(video)  # extend keeps what came before the error
    assert len(frames) > 5


@pytest.mark.data
def test_sound_of_a_real_clip_stays_in_step(data_dir: Path, tmp_path: Path) -> None:
    """Clip 27's sound begins 0.84 s before its picture."""
    source = data_dir / "clips" / "27_hamilton_dark_cuts.mp4"
    copy_video(source, tmp_path / "out.mp4", 0.0, 0.5)
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        picture_starts = float((video.start_time or 0) * (video.time_base or Fraction(1)))
    times = {content: time_s for time_s, content in sound_of(source)}
    sound = sound_of(tmp_path / "out.mp4")
    assert sound[-1][0] == pytest.approx(0.5, abs=0.05)
    for time_s, content in sound:
        assert time_s == pytest.approx(times[content] - picture_starts, abs=1e-4)
