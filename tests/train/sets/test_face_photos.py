from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.train.sets.face_photos import load_face_photos, square_to_row
from startrack.train.sets.sample import DatasetError

MACHINE_ROW = [30, 20, 40, 55, 40.0, 40, 60, 40, 50, 52, 42, 62, 58, 62]


def folder(path: Path, images: dict[str, list]) -> Path:
    for name in images:
        cv2.imwrite(str(path / name), np.zeros((120, 160, 3), np.uint8))
    (path / "faces.json").write_text(json.dumps({"columns": "", "images": images}))
    return path


def test_machine_rows_are_mapped_and_the_unsure_ignored(tmp_path: Path) -> None:
    root = folder(tmp_path, {"12_a.png": [[*MACHINE_ROW, 0.9], [*MACHINE_ROW, 0.5]], "4_b.png": []})
    first, second = load_face_photos(root)
    assert (first.event, second.event) == ("12", "4")
    assert first.squares.shape == (1, 3)
    assert first.ignored == pytest.approx(first.squares)
    assert first.squares[0, 0] == pytest.approx(50)
    assert 50 < first.squares[0, 1] < 57
    assert first.eyes.tolist() == [[[40, 40], [60, 40]]]
    assert second.squares.shape == (0, 3)
    assert first.read_image().shape == (120, 160, 3)


def test_rows_of_our_own_boxes(tmp_path: Path) -> None:
    row = square_to_row(np.array([50.0, 60, 20]))
    (photo,) = load_face_photos(folder(tmp_path, {"a.png": [row, [0, 0, 10, 12, 0.95], [0, 0, 5, 5, 0.1]]}))
    assert photo.squares.tolist() == [[50, 60, 20], [5, 6, 12]]
    assert np.isnan(photo.eyes).all()
    assert photo.ignored.tolist() == [[2.5, 2.5, 5]]


def test_events_are_held_back_together(tmp_path: Path) -> None:
    others = [f"12_{number:02}.png" for number in range(14)]
    root = folder(tmp_path, {name: [] for name in ("4_a.png", "4_b.png", "22_a.png", *others)})
    splits = ("train", "tuning", "validation")
    names = {split: [photo.path.name for photo in load_face_photos(root, split)] for split in splits}
    assert names["validation"] == ["22_a.png", "4_a.png", "4_b.png"]
    assert names["tuning"] == ["12_00.png", "12_12.png"]
    assert names["train"] == [name for name in others if name not in names["tuning"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected 'images'"),
        ("[]", "expected 'images'"),
        ('{"images": {}}', "no photo of split 'all'"),
        ('{"images": {"a.png": [[1, 2, 3]]}}', r"face 0 of a\.png is \[1, 2, 3\]; expected"),
        ('{"images": {"a.png": [[1, 2, 0, 3]]}}', r"face 0 of a\.png"),
        ('{"images": {"a.png": [["x", 2, 3, 3]]}}', "expected 'images'"),
    ],
)
def test_a_bad_list_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "faces.json").write_text(content)
    with pytest.raises(DatasetError, match=f"faces.json: .*{message}"):
        load_face_photos(tmp_path)


def test_a_missing_list_and_split_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"faces\.json"):
        load_face_photos(tmp_path)
    with pytest.raises(DatasetError, match="no split 'test'; expected one of train, tuning, validation, all"):
        load_face_photos(tmp_path, "test")


@pytest.mark.data
def test_the_photos_at_hand(data_dir: Path) -> None:
    splits = ("train", "tuning", "validation")
    train, tuning, held = (load_face_photos(data_dir / "wider_photos", split) for split in splits)
    assert (len(train), len(tuning), len(held)) == (435, 40, 91)
    assert not {photo.path for photo in train} & {photo.path for photo in tuning}
    assert not {photo.event for photo in train} & {photo.event for photo in held}
    assert sum(int((photo.squares[:, 2] >= 32).sum()) for photo in held) == 164
