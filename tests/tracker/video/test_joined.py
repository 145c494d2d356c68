"""Recordings joined in one file, and pictures whose size changes."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.joined import parts_of
from startrack.tracker.video.source import read_video
from startrack.tracker.video.timeline import Timeline

if TYPE_CHECKING:
    from tests.conftest import MakeClip

QUIET = {"libx265": {"x265-params": "log-level=none:pools=none:frame-threads=1"}}
FIRST, SECOND = (64, 48), (96, 64)
FRAMES = 12


def write(path: Path, codec: str, size: tuple[int, int], grey: int) -> Path:
    """FRAMES frames of 25 a second, each one grey lighter than the one before."""
    kind = {".mpg": "mpeg"}.get(path.suffix)
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "0", **QUIET.get(codec, {})})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(FRAMES):
            image = np.full((size[1], size[0], 3), grey + 4 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def joined(folder: Path, suffix: str, codecs: tuple[str, str]) -> Path:
    parts = [
        write(folder / f"first{suffix}", codecs[0], FIRST, 60),
        write(folder / f"second{suffix}", codecs[1], SECOND, 140),
    ]
    path = folder / f"joined{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def read(path: Path, **part: float) -> tuple[list[Frame], list[str]]:
    lines: list[str] = []
    with read_video(path, report=lines.append, **part) as video:  # type: ignore[arg-type]
        return list(video), lines


@pytest.mark.parametrize(
    ("suffix", "codecs"),
    [
        (".mp4", ("libx264", "libx264")),
        (".mkv", ("libx264", "libx264")),
        (".webm", ("libvpx", "libvpx")),
        (".avi", ("mpeg4", "mpeg4")),
        (".flv", ("libx264", "libx264")),
        (".ts", ("libx264", "libx264")),
        (".ts", ("libx264", "mpeg2video")),
        (".ts", ("mpeg2video", "libx264")),
        (".mpg", ("mpeg2video", "mpeg2video")),
    ],
)
def test_every_recording_is_read(tmp_path: Path, suffix: str, codecs: tuple[str, str]) -> None:
    path = joined(tmp_path, suffix, codecs)
    frames, lines = read(path)
    # a joined MPEG programme stream loses the last frame of its first recording in FFmpeg
    fewest = 2 * FRAMES - (suffix == ".mpg")
    assert fewest <= len(frames) <= 2 * FRAMES
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.04, abs=2e-3)
    sizes = [(frame.width, frame.height) for frame in frames]
    assert sizes == [FIRST] * (len(frames) - FRAMES) + [SECOND] * FRAMES
    assert abs(int(frames[-FRAMES].image[9, 9, 0]) - 140) < 8
    assert any("96 × 64 pixels from" in line and "64 × 48 before" in line for line in lines)


def test_a_part_of_joined_recordings(tmp_path: Path) -> None:
    path = joined(tmp_path, ".mkv", ("libx264", "libx264"))
    whole, _ = read(path)
    part, lines = read(path, start_s=0.4, end_s=0.7)
    wanted = [frame for frame in whole if 0.4 <= frame.time_s < 0.7]
    assert [frame.time_s for frame in part] == [frame.time_s for frame in wanted]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(part, wanted, strict=True))
    assert "2 recordings joined in one file" in lines[0]
    with pytest.raises(SourceError, match="no frames from 9 s to its end"):
        read(path, start_s=9)


def test_a_damaged_recording_does_not_cost_the_next(tmp_path: Path) -> None:
    path = joined(tmp_path, ".mkv", ("libx264", "libx264"))
    (_, end), _ = parts_of(path)
    data = bytearray(path.read_bytes())
    data[end // 2 : end // 2 + 40] = b"\xff" * 40
    path.write_bytes(data)
    frames: list[Frame] = []
    with suppress(SourceError), read_video(path) as video:
        frames.extend(video)
    assert [frame.width for frame in frames].count(SECOND[0]) == FRAMES


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".flv"])
def test_one_recording_is_one(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"clip{suffix}", "mpeg4" if suffix == ".avi" else "libx264", FIRST, 60)
    assert parts_of(path) == [(0, path.stat().st_size)]
    data = path.read_bytes()
    for end in range(0, len(data), 97):  # whatever is left of it
        path.write_bytes(data[:end])
        assert len(parts_of(path)) == 1


@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
def test_a_header_across_two_blocks_is_found(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.video.joined.BLOCK", block)
    data = write(tmp_path / "clip.flv", "libx264", FIRST, 60).read_bytes()
    path = tmp_path / "joined.flv"
    for more in range(0, 64, 7):
        path.write_bytes(data + bytes(more) + data * 2)
        starts = [0, len(data) + more, 2 * len(data) + more]
        assert [start for start, _ in parts_of(path)] == starts


def test_a_file_of_boxes_alone_is_one_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.video.joined.MOST_BOXES", 1000)
    data = write(tmp_path / "clip.mp4", "libx264", FIRST, 60).read_bytes()
    path = tmp_path / "joined.mp4"
    for boxes, expected in ((10, 2), (1000, 1)):
        path.write_bytes(data + b"\0\0\0\x08free" * boxes + data)
        assert len(parts_of(path)) == expected


def test_sound_that_comes_and_goes_parts_no_transport_stream(make_clip: MakeClip, tmp_path: Path) -> None:
    parts = [make_clip(name, frames=10, audio=audio).path for name, audio in (("a.ts", "aac"), ("b.ts", None))]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(parts_of(path)) == 1
    frames, _ = read(path)
    assert len(frames) == 20


def test_fragments_that_repeat_their_index_are_one_recording(tmp_path: Path) -> None:
    path = tmp_path / "live.mp4"
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "4", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *FIRST, "yuv420p"
        for number in range(FRAMES):
            image = np.full((FIRST[1], FIRST[0], 3), 60 + number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    begin, fragment = data[: data.index(b"moof") - 4], data.rindex(b"moof") - 4
    path.write_bytes(data[:fragment] + begin[begin.index(b"moov") - 4 :] + data[fragment:])
    assert len(parts_of(path)) == 1
    path.write_bytes(data[:fragment] + begin + data[fragment:])
    assert len(parts_of(path)) == 1
    frames, lines = read(path)
    assert (len(frames), lines) == (FRAMES, [])
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.04)
    twice = tmp_path / "twice.mp4"
    twice.write_bytes(write(tmp_path / "clip.mp4", "libx264", FIRST, 60).read_bytes() * 2)
    assert len(parts_of(twice)) == 2


def test_times_go_on_where_a_short_recording_sets_the_clock_back() -> None:
    timeline = Timeline(0, Fraction(1, 1000), Fraction(25))
    # a step back of less than two frames is a slip of the clock
    given = [0, 40, 80, 120, 0, 40, 80, 60, 120]
    assert [timeline.time_s(pts) for pts in given] == [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.241, 0.28]
