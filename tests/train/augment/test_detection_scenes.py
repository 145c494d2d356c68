from __future__ import annotations

import json
from dataclasses import replace
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


def test_parts_of_photos_and_patches_show_what_was_taken_for_a_face(tmp_path: Path, made_300w: Path) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[120:160, 220:260] = 255
    cv2.imwrite(str(tmp_path / "1_a.png"), image)
    (tmp_path / "faces.json").write_text(json.dumps({"images": {"1_a.png": [[10, 10, 40, 40]]}}))
    photos = load_face_photos(tmp_path)
    cut_outs = store_faces(ibug_300w.load(made_300w, "trainval"))
    white = []
    for mistaken in (np.zeros((0, 3)), np.array([[240.0, 140, 40], [40.0, 30, 20]])):
        scenes = SceneMaker([replace(photos[0], mistaken=mistaken)], cut_outs)
        # the second one shows the face, and is no patch without one
        assert [trap.square.tolist() for trap in scenes.faceless] == mistaken[:1].tolist()
        parts = [scenes.photo_part(64, np.random.default_rng(seed)).picture for seed in range(60)]
        white.append(sum(bool((part == 255).all(axis=2).any()) for part in parts))
    assert white[1] > white[0] + 5
    for seed in range(20):
        patch = scenes._trap(32, np.random.default_rng(seed))
        assert (patch[12:20, 12:20] == 255).all()
        assert (patch == 0).any()


def test_a_close_ups_neighbours_are_beside_it_not_its_collar_or_hair(scenes: SceneMaker) -> None:
    for seed in range(40):
        scene = scenes.close_up(96, np.random.default_rng(seed))
        if not scene.faces:
            continue
        face = scene.faces[0]
        across = (face.eyes[1] - face.eyes[0]) / np.linalg.norm(face.eyes[1] - face.eyes[0])
        assert len(scene.ignored) == 6
        away = np.array([(square[:2] - face.square[:2]) @ across for square in scene.ignored]) / face.square[2]
        # up to the roll that the face had in its own picture
        assert (np.abs(away) > 0.5).all()
