from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from startrack.tracker.crop import eye_angle
from startrack.train.augment.detection_scenes import visible_share
from startrack.train.augment.face_pastes import Placed, paste_face, store_faces
from startrack.train.augment.textures import (
    SPECK,
    background_picture,
    drawn_pattern,
    skimage_pictures,
    square_near_face,
)
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.detection_dataset import DetectionDataset, to_item
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import Background, shows_face
from startrack.train.sets.face_photos import load_face_photos, square_to_row


@pytest.fixture
def dataset(made_300w: Path, tmp_path: Path) -> DetectionDataset:
    rng = np.random.default_rng(5)
    images = {}
    for name in ("1_a.png", "2_b.png"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))
        images[name] = [square_to_row(np.array([80.0, 90, 50])), [200, 100, 20, 20, 0.3]]
    (tmp_path / "faces.json").write_text(json.dumps({"images": images}))
    cut_outs = store_faces(ibug_300w.load(made_300w, "trainval"))
    return DetectionDataset(load_face_photos(tmp_path), cut_outs, size=96, length=40, seed=3)


def test_items_are_a_function_of_seed_epoch_and_number(dataset: DetectionDataset) -> None:
    for first, second in zip(dataset[ItemKey(1, 7)], dataset[ItemKey(1, 7)], strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(dataset[ItemKey(1, 7)].pictures, dataset[ItemKey(2, 7)].pictures)


def test_items_collate_and_obey_their_rules(dataset: DetectionDataset) -> None:
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_sampler=[[ItemKey(0, i) for i in range(40)]])))
    assert batch.pictures.shape == (40, 96, 96, 3)
    assert batch.pictures.dtype == torch.uint8
    faces = batch.squares[..., 2] > 0
    assert faces.any()
    assert not faces.all(dim=1).any()
    assert (batch.squares[..., 2][faces] >= 11).all()
    for item, face in faces.nonzero().tolist():
        assert visible_share(batch.squares[item, face].numpy(), 96) >= 0.44
    assert (faces.sum(dim=1) == 0).any()


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_pasted_face_lies_where_it_says(made_300w: Path, angle: float, seed: int) -> None:
    face = store_faces(ibug_300w.load(made_300w, "validation")[:1] or ibug_300w.load(made_300w, "trainval")[:1])[0]
    picture = np.zeros((200, 200, 3), np.uint8)
    placed = paste_face(picture, face, np.array([100.0, 90, 60]), angle, np.random.default_rng(seed))
    assert placed.square == pytest.approx([100, 90, 60], abs=0.51)
    # drawn eyes are a little above the centre, level along the asked direction whether mirrored or not
    assert math.remainder(eye_angle(*placed.eyes) - angle, 2 * math.pi) == pytest.approx(0, abs=0.15)
    away = placed.eyes.mean(axis=0) - placed.square[:2]
    assert away @ [math.sin(angle), -math.cos(angle)] > 0
    assert picture[80:100, 90:110].any()
    assert not picture[:10].any()


def test_faces_that_cannot_be_asked_for_are_ignored() -> None:
    eyes = np.zeros((2, 2))
    faces = [
        Placed(np.array(square, float), eyes)
        for square in [(50, 50, 30), (50, 50, 8), (2, 50, 30), (0, 0, 30), (-40, 50, 30)]
    ]
    item = to_item(faces, [np.array([70.0, 20, 10])], np.zeros((100, 100, 3), np.uint8))
    kept = item.squares[item.squares[:, 2] > 0].tolist()
    assert kept == [[50, 50, 30], [2, 50, 30]]
    ignored = item.ignored[item.ignored[:, 2] > 0].tolist()
    assert ignored == [[0, 0, 30], [70, 20, 10], [50, 50, 8]]


def test_faceless_pictures() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert drawn_pattern(64, rng).shape == (64, 64, 3)
    assert background_picture([], 32, rng).dtype == np.uint8


def test_pictures_of_scikit_image() -> None:
    pytest.importorskip("skimage")
    assert len(skimage_pictures()) > 10


def test_squares_near_a_face_show_none_of_it() -> None:
    rng = np.random.default_rng(1)
    faces = np.array([[100.0, 60, 150, 110], [300, 80, 320, 100]])
    background = Background(np.zeros((300, 400, 3), np.uint8), faces)
    found = [square for _ in range(60) if (square := square_near_face(background, rng)) is not None]
    assert len(found) > 40
    for square in found:
        assert not shows_face(faces, square, SPECK)
        nearest = np.abs(square[:2] - (faces[:, :2] + faces[:, 2:]) / 2).max(axis=1) / (faces[:, 2] - faces[:, 0])
        assert nearest.min() <= 4
    assert square_near_face(Background(background.image, np.zeros((0, 4))), rng) is None


def test_a_speck_is_smaller_in_a_closer_look() -> None:
    face = np.array([[50.0, 50, 58, 58]])
    square = np.array([54.0, 54, 100])
    assert shows_face(face, square, 0.03)
    assert not shows_face(face, square, 0.1)


def test_a_shrunk_photo_lies_on_another_ground(dataset: DetectionDataset) -> None:
    white = np.full((40, 60, 3), 255, np.uint8)
    affine = np.array([[1.0, 0, 20], [0, 1, 30]])
    pictures = [dataset.scenes._on_ground(white, affine, 96, np.random.default_rng(seed)) for seed in range(20)]
    assert all((picture[32:68, 22:78] == 255).all() for picture in pictures)
    black_around = sum(not picture[:28].any() for picture in pictures)
    assert 0 < black_around < 12
