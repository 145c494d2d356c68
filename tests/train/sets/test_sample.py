from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.types import ImageArray
from startrack.train.sets.sample import DatasetError, Sample, picture_below


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
