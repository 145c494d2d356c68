from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.video.base import SourceError
from startrack.tracker.video.pictures import is_pictures, read_pictures, videos_of
from startrack.tracker.video.source import open_source


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
    write_picture(tmp_path / "1.png", 0)
    (tmp_path / "2.png").write_bytes(content)
    frames = []
    with pytest.raises(SourceError, match=r"2\.png: a broken picture"), read_pictures(tmp_path) as video:
        frames.extend(video)
    assert len(frames) == 1


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
