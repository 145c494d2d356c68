from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.types import ImageArray
from startrack.train.sets.sample import DatasetError, Sample, picture_below, read_picture


class Grey:
    """A picture that is not a file."""

    def read(self) -> ImageArray:
        return np.full((4, 5, 3), 7, np.uint8)


def test_a_face_of_a_file_of_many_has_a_name_of_its_own() -> None:
    sample = Sample(Path("/data/WFLW_images/0--Parade/crowd.jpg"), np.zeros((98, 2)), "test", entry="17")
    assert sample.name == "WFLW_images/0--Parade/crowd#17"
    assert Sample(sample.path, sample.landmarks, "test").name == "WFLW_images/0--Parade/crowd"


def test_a_picture_is_a_file_unless_something_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((3, 2, 3), (0, 0, 200), np.uint8))
    assert Sample(path, np.zeros((1, 2)), "all").read_image().tolist() == [[[200, 0, 0]] * 2] * 3
    assert Sample(path, np.zeros((1, 2)), "all", picture=Grey()).read_image().shape == (4, 5, 3)


def test_all_landmarks_are_annotated_unless_visibility_says_otherwise() -> None:
    points = np.zeros((3, 2))
    assert Sample(Path("a.png"), points, "all").annotated.tolist() == [True, True, True]
    hidden = Sample(Path("a.png"), points, "all", visibility=np.array([0, 1, 2], np.uint8))
    assert hidden.annotated.tolist() == [False, True, True]


@pytest.mark.parametrize("name", ["", "/etc/hosts", "../other/a.jpg", "a/../../b.jpg"])
def test_a_list_cannot_name_pictures_elsewhere(name: str) -> None:
    with pytest.raises(DatasetError, match=r"list\.txt:3: picture .*; expected a path below faces"):
        picture_below(Path("faces"), name, "list.txt:3")
    assert picture_below(Path("faces"), "a/b c.jpg", "list.txt:3") == Path("faces/a/b c.jpg")


def test_a_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    """30,000 × 30,000 pixels in 60 bytes."""
    chunk = b"IHDR" + struct.pack(">II5B", 30_000, 30_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(20)
    (tmp_path / "large.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"large\.png: 30000 × 30000 pixels; expected at most 64 million"):
        read_picture(tmp_path / "large.png")


@pytest.mark.parametrize("name", ["", "../a.png", "/etc/passwd", "a/../../b.png", "a\0b.png"])
def test_names_stay_below_their_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"list:3: picture .*; expected a path below"):
        picture_below(tmp_path, name, "list:3")


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    """Reading it would never end."""
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DatasetError, match=r"pipe\.png: cannot be read: not an ordinary file"):
        read_picture(tmp_path / "pipe.png")
