from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.pictures import is_pictures, read_pictures, videos_of
from startrack.tracker.video.source import open_source

if TYPE_CHECKING:
    from tests.conftest import MakeClip


def write_picture(path: Path, level: int, size: tuple[int, int] = (8, 6)) -> None:
    """A picture of (R, G, B) = (level, 0, 255)."""
    image = np.full((size[1], size[0], 3), (255, 0, level), np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def test_a_folder_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 2, 1):
        write_picture(tmp_path / f"face{number}.png", number)
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(str(tmp_path)) as video:
        assert (video.info.frame_count, video.info.fps, video.info.is_live) == (4, 25, False)
        frames = list(video)
    assert [tuple(frame.image[0, 0]) for frame in frames] == [(level, 0, 255) for level in (1, 2, 9, 10)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == [0, 0.04, 0.08, 0.12]


def test_a_glob_of_different_sizes(tmp_path: Path) -> None:
    for number, size in enumerate([(8, 6), (1, 1), (5, 9)]):
        write_picture(tmp_path / f"Gesicht ä{number}.png", 0, size)
    write_picture(tmp_path / "other.bmp", 0)
    with open_source(str(tmp_path / "*.png")) as video:
        assert (video.info.width, video.info.height) == (8, 6)
        assert [frame.image.shape for frame in video] == [(6, 8, 3), (1, 1, 3), (9, 5, 3)]


@pytest.mark.parametrize("suffix", [".jpg", ".PNG", ".bmp", ".webp", ".tif"])
def test_a_single_picture(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"one{suffix}", 200)
    with open_source(str(tmp_path / f"one{suffix}")) as video:
        (frame,) = video
    np.testing.assert_allclose(frame.image[3, 4], (200, 0, 255), atol=3)


@pytest.mark.parametrize("content", [b"", b"GIF", b"\x89PNG\r\n\x1a\n broken"])
def test_a_broken_picture_is_named_after_the_good_ones(tmp_path: Path, content: bytes) -> None:
    for name in ("1", "3", "4"):
        write_picture(tmp_path / f"{name}.png", int(name))
    (tmp_path / "2.png").write_bytes(content)
    frames, lines = list[Frame](), list[str]()
    broken = pytest.raises(SourceError, match=r"2\.png: a broken picture")
    with broken, read_pictures(tmp_path, report=lines.append) as video:
        frames.extend(video)
    assert [(frame.index, frame.time_s, frame.image[0, 0, 0]) for frame in frames] == [
        (0, 0, 1),
        (1, 0.08, 3),
        (2, 0.12, 4),
    ]
    assert lines[-1].endswith("the other pictures go on")
    (tmp_path / "1.png").write_bytes(content)
    with pytest.raises(SourceError, match=r"2 of 4 pictures cannot be read, the first: .*1\.png"):
        list(read_pictures(tmp_path))


@pytest.mark.parametrize("name", ["gone.png", "*.jpg"])
def test_missing_pictures_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="no such picture"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("source", "expected"),
    [("a.jpg", True), ("faces/*.png", True), ("a.mp4", False), ("a.gif", False), ("http://host/a.jpg?b", False)],
)
def test_what_counts_as_pictures(source: str, expected: bool) -> None:
    assert is_pictures(source) is expected


def test_a_pattern_as_ffmpeg_spells_it(tmp_path: Path) -> None:
    for name in ("img0002.png", "img0010.png", "img12345.png", "img3.png", "other0001.png"):
        write_picture(tmp_path / name, 9)
    write_picture(tmp_path / "img0001.jpg", 9)
    assert is_pictures(str(tmp_path / "img%04d.png"))
    with open_source(str(tmp_path / "img%04d.png")) as video:
        assert video.info.frame_count == 3
    with open_source(str(tmp_path / "img%d.png")) as video:
        assert video.info.frame_count == 4
    with pytest.raises(SourceError, match="no such picture"):
        open_source(str(tmp_path / "none%04d.png"))


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 1)
    (tmp_path / "._1.png").write_text("of macOS")
    with open_source(str(tmp_path)) as video:
        assert video.info.frame_count == 1


def test_videos_of_a_folder_and_of_a_glob(tmp_path: Path) -> None:
    for name in ("b10.mp4", "b2.mkv", ".hidden.mp4", "notes.txt"):
        (tmp_path / name).write_text("")
    expected = [str(tmp_path / name) for name in ("b2.mkv", "b10.mp4")]
    assert videos_of(str(tmp_path)) == expected
    assert videos_of(str(tmp_path / "*")) == expected
    assert videos_of(str(tmp_path / "*.mp4")) == expected[1:]
    assert videos_of(expected[0]) == videos_of("rtsp://camera/*") == videos_of(str(tmp_path / "none")) == []
    assert not is_pictures(str(tmp_path / "*.mp4"))
    write_picture(tmp_path / "cover.png", 1)
    assert videos_of(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("names", "is_video"),
    [
        ([f"frame_{number:04d}.png" for number in range(12)], True),
        ([f"clip2_{number}_left.png" for number in range(0, 120, 10)], True),
        ([f"f{number:03d}.png" for number in range(30) if number != 17], True),
        (["image_003_1.png", "image_004_1.png", "image_006_1.png", "image_010_1.png", "image_011_1.png"], False),
        (["100032540_1.png", "10405146_1.png", "11564757_2.png"], False),
        (["anna.png", "bert.png"], False),
        (["1.png"], False),
    ],
)
def test_names_that_count_up_are_a_video_and_others_single_pictures(
    tmp_path: Path, names: list[str], is_video: bool
) -> None:
    for name in names:
        write_picture(tmp_path / name, 9)
    lines: list[str] = []
    with open_source(str(tmp_path), report=lines.append) as video:
        assert video.info.stills is not is_video
    assert [("--stills reads each for itself" in line) for line in lines] == [True] * is_video
    with open_source(str(tmp_path), stills=True) as video:
        assert video.info.stills
    with open_source(str(tmp_path), stills=False) as video:
        assert not video.info.stills


def test_a_rate_makes_a_video_of_pictures(tmp_path: Path) -> None:
    for name in ("anna", "bert", "cleo", "dora"):
        write_picture(tmp_path / f"{name}.png", 9)
    with open_source(str(tmp_path), fps=10) as video:
        assert (video.info.fps, video.info.duration_s, video.info.stills) == (10, 0.4, False)
        assert [frame.time_s for frame in video] == [0, 0.1, 0.2, 0.3]
    with open_source(str(tmp_path), fps=10, sample_fps=5) as video:
        assert (video.info.fps, video.info.frame_count) == (5, 2)
        assert [(frame.index, frame.time_s) for frame in video] == [(0, 0), (1, 0.2)]
    with pytest.raises(SourceError, match="5 frames a second asked of single pictures; expected a video"):
        open_source(str(tmp_path), sample_fps=5)
    with pytest.raises(SourceError, match="width 640 asked of something that is not a camera"):
        open_source(str(tmp_path), width=640, fps=5)


def test_single_pictures_are_asked_of_pictures_only(make_clip: MakeClip) -> None:
    with pytest.raises(SourceError, match="no pictures; expected a folder"):
        open_source(str(make_clip().path), stills=True)


def test_pages_and_animations_are_frames(tmp_path: Path) -> None:
    pages = [np.full((20, 30, 3), 50 * page, np.uint8) for page in range(3)]
    assert cv2.imwritemulti(str(tmp_path / "b.tif"), pages)
    write_picture(tmp_path / "a.png", 7)
    with open_source(str(tmp_path)) as video:
        assert [(frame.index, frame.width) for frame in video] == [(0, 8), (1, 30), (2, 30), (3, 30)]
    if hasattr(cv2, "imwriteanimation"):
        animation = cv2.Animation()
        animation.frames, animation.durations = pages, np.array([100, 300, 100], np.int32)
        assert cv2.imwriteanimation(str(tmp_path / "c.webp"), animation)
        with open_source(str(tmp_path / "c.webp")) as video:
            assert not video.info.stills
            assert [round(frame.time_s, 3) for frame in video] == [0, 0.1, 0.4]
