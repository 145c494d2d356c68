from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.train.augment.detection_scenes import (
    LARGEST_FACE,
    LEAST_VISIBLE,
    TOO_NEAR,
    Scene,
    SceneMaker,
    visible_share,
)
from startrack.train.augment.face_pastes import Placed, store_faces
from startrack.train.sets import ibug_300w
from startrack.train.sets.face_photos import load_face_photos, square_to_row


@pytest.fixture
def scenes(made_300w: Path, tmp_path: Path) -> SceneMaker:
    rng = np.random.default_rng(5)
    cv2.imwrite(str(tmp_path / "1_a.png"), rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))
    rows = [square_to_row(np.array([80.0, 90, 50])), [200, 100, 20, 20, 0.3]]
    (tmp_path / "faces.json").write_text(json.dumps({"images": {"1_a.png": rows}}))
    return SceneMaker(load_face_photos(tmp_path), store_faces(ibug_300w.load(made_300w, "trainval")))


def test_close_ups_fill_the_picture_and_more(scenes: SceneMaker) -> None:
    made = [scenes.close_up(96, np.random.default_rng(seed)) for seed in range(120)]
    sides = np.array([scene.faces[0].square[2] for scene in made if scene.faces]) / 96
    assert sides.min() > 0.39
    assert sides.max() == pytest.approx(LARGEST_FACE, abs=0.1)
    assert (sides > 0.6).sum() > (sides < 0.6).sum()
    for scene in made:
        for face in scene.faces:
            assert visible_share(face.square, 96) >= LEAST_VISIBLE - 0.01


def test_a_part_of_a_face_too_near_is_no_face(scenes: SceneMaker) -> None:
    """What is seen of one must not be ignored either, or nothing would be learned from it."""
    made = [scenes.close_up(96, np.random.default_rng(seed)) for seed in range(120)]
    empty = [scene for scene in made if not scene.faces]
    assert 3 < len(empty) < 40
    assert not any(scene.ignored for scene in empty)
    assert visible_share(np.array([48, 48, TOO_NEAR[0] * 96]), 96) < LEAST_VISIBLE


def test_groups_show_many_faces_each_within_its_tile(scenes: SceneMaker) -> None:
    made = [scenes.group(96, np.random.default_rng(seed)) for seed in range(12)]
    assert max(len(scene.faces) for scene in made) > 12
    for scene in made:
        assert scene.picture.shape == (96, 96, 3)
        for face in scene.faces:
            # at most LARGEST_FACE times half the picture, the largest tile
            assert face.square[2] <= LARGEST_FACE * 48 + 1
            assert (face.square[:2] > -25).all()
            assert (face.square[:2] < 121).all()


def test_a_face_cut_off_at_its_tile_is_not_asked_for() -> None:
    whole, part = Scene(np.zeros((100, 100, 3), np.uint8)), Scene(np.full((50, 50, 3), 9, np.uint8))
    eyes = np.array([[20.0, 20], [30, 20]])
    part.faces = [Placed(np.array(square, float), eyes) for square in ((25, 25, 20), (2, 25, 30), (48, 25, 60))]
    part.ignored = [np.array([60.0, 25, 30])]
    SceneMaker._lay(whole, part, np.array([50, 0]))
    assert [face.square.tolist() for face in whole.faces] == [[75, 25, 20], [52, 25, 30]]
    assert whole.faces[0].eyes.tolist() == [[70, 20], [80, 20]]
    # the third shows less than half of itself; the ignored square's centre lies in the next tile
    assert [square.tolist() for square in whole.ignored] == [[98, 25, 60]]
    assert (whole.picture[:50, 50:] == 9).all()
    assert not whole.picture[50:].any()


def test_faces_in_the_way_of_others_are_left_as_they_are(scenes: SceneMaker) -> None:
    eyes = np.array([[40.0, 40], [60, 40]])
    for crowded in (False, True):
        changed = 0
        for seed in range(40):
            scene = Scene(np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8))
            before = scene.picture.copy()
            scene.faces = [Placed(np.array([48.0, 48, 40]), eyes)]
            if crowded:
                scene.faces.append(Placed(np.array([60.0, 60, 40]), eyes))
            scenes.change_faces(scene, np.random.default_rng(seed))
            changed += bool((scene.picture != before).any())
        assert changed == 0 if crowded else 2 < changed < 25


def test_small_faces_are_not_covered(scenes: SceneMaker) -> None:
    scene = Scene(np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    before = scene.picture.copy()
    scene.faces = [Placed(np.array([48.0, 48, 15]), np.full((2, 2), np.nan))]
    for seed in range(40):
        scenes.change_faces(scene, np.random.default_rng(seed))
    assert (scene.picture == before).all()


def test_nothing_is_pasted_over_a_face(scenes: SceneMaker) -> None:
    for seed in range(80):
        scene = Scene(np.zeros((96, 96, 3), np.uint8))
        scene.faces = [Placed(np.array([48.0, 48, 40]), np.zeros((2, 2)))]
        scenes.paste_nothing(scene, np.random.default_rng(seed))
        assert not scene.picture[34:62, 34:62].any()
