"""The conditions are what their names say, and the bars count what they are to count."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.detector_conditions import (
    BARS,
    CHANGES,
    FILLED_LARGE,
    FILLED_SIDE,
    GREY,
    count_found,
    filled,
    half_grey,
    square_of,
    to_text,
)
from startrack.tracker.types import FaceBox, Frame
from startrack.train.sets.sample import Sample

SQUARE = np.array([50.0, 40, 20])


@pytest.mark.parametrize(
    ("side", "rows", "columns"),
    [("left", (30, 50), (40, 50)), ("right", (30, 50), (50, 60)), ("upper", (30, 40), (40, 60)),
     ("lower", (40, 50), (40, 60))],
)  # fmt: skip
def test_half_of_the_face_is_grey_and_nothing_else(side: str, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    picture = np.full((80, 100, 3), 7, np.uint8)
    changed = half_grey(side)(picture, SQUARE, np.random.default_rng(0))
    grey = (changed == GREY).all(axis=2)
    assert grey[rows[0] : rows[1], columns[0] : columns[1]].all()
    assert grey.sum() == 200
    assert (picture == 7).all()


def test_half_of_a_face_at_the_edge() -> None:
    changed = half_grey("left")(np.zeros((80, 100, 3), np.uint8), np.array([4.0, 2, 20]), np.random.default_rng(0))
    assert (changed == GREY).all(axis=2).sum() == 4 * 12


def test_colours_and_darkness_by_hand() -> None:
    pixel, rng = np.array([[[200, 100, 40]]], np.uint8), np.random.default_rng(0)

    def changed(name: str) -> list[int]:
        return [int(value) for value in CHANGES[name](pixel, SQUARE, rng)[0, 0]]

    assert changed("green light") == [40, 100, 8]
    assert changed("blue alone") == [0, 0, 40]
    assert changed("red and blue exchanged") == [40, 100, 200]
    assert changed("channels moved on") == [100, 40, 200]
    assert changed("dark, ×0.05") in ([10, 5, 2], [9, 5, 2], [10, 4, 2])


@pytest.mark.parametrize("share", [0.71, 1.0])
def test_a_face_fills_the_share_of_the_picture_that_is_asked_for(samples: list[Sample], share: float) -> None:
    picture, square = filled(samples[0], share)
    assert picture.shape == (FILLED_SIDE, FILLED_SIDE, 3)
    assert square[2] == pytest.approx(share * FILLED_SIDE)
    assert square[:2] == pytest.approx([(FILLED_SIDE - 1) / 2] * 2)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Two pictures of noise, whose landmarks span the middle half."""
    rng = np.random.default_rng(0)
    made = []
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
        landmarks = rng.uniform(49.5, 149.5, (68, 2))
        landmarks[:2] = [[49.5, 49.5], [149.5, 149.5]]
        made.append(Sample(tmp_path / name, landmarks, "made"))
    return made


class Blind:
    """Finds nothing."""

    def __call__(self, frame: Frame) -> list[FaceBox]:
        return []

    def close(self) -> None: ...


class Knowing:
    """Finds a face in the middle of each picture, of half its side, as the faces are stored."""

    def __call__(self, frame: Frame) -> list[FaceBox]:
        middle = (np.array(frame.image.shape[1::-1]) - 1) / 2
        half = min(frame.image.shape[:2]) / 4
        return [FaceBox(np.concatenate([middle - half, middle + half]), 1.0)]

    def close(self) -> None: ...


def test_faces_are_counted_by_condition(samples: list[Sample]) -> None:
    assert [square_of(sample).tolist() for sample in samples] == [[99.5, 99.5, 100]] * 2
    counts = count_found(samples, {320: Knowing(), 640: Knowing()})
    assert counts["as stored"] == counts["dark, ×0.05"] == 2
    # (1/2)² over 0.71² is 0.496, over 1 a quarter
    assert counts["fills 71 %, 640"] == 2
    assert counts["fills 100 %, 640"] == 0
    assert set(counts) >= {name for bar in BARS for name in bar.conditions}
    nothing = count_found(samples, {320: Blind(), 640: Blind()})
    assert set(nothing.values()) == {0}


def test_a_missed_bar_is_named() -> None:
    names = {*CHANGES, *(f"fills {share} %, {size}" for share in (71, 83, 100) for size in (320, 640))}
    figures = {
        "faces": 4,
        "found": dict.fromkeys(sorted(names), 3),
        "faceless": 5,
        "wrong": {"320": 1, "640": 2},
        "bars": [{"conditions": list(FILLED_LARGE), "found": 75.0, "at_least": 98}],
    }
    text = to_text(figures)
    assert "75.0 %, at least 98: MISSED: fills 71 %, 640" in text
    assert "5 pictures without a face, 640: 2" in text
