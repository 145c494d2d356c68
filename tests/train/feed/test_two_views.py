from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from startrack.tracker.crop import transform_points
from startrack.tracker.types import FloatArray
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.dataset import FaceDataset, ItemKey
from startrack.train.feed.two_views import FOLLOWED, LOST, LOST_SHARE, FacesSeenTwice, TwoViews, moved
from startrack.train.recipes.compact import AS_CUT, SLIM_SPEC
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.sample import Sample
from tests.train.conftest import face_points

SIZE = SLIM_SPEC.input_size
SHINE = 9.0
MARKS = face_points((100.0, 90.0), 30.0)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture in which a bright spot lies on each of three landmarks."""
    rows, columns = np.mgrid[:200, :200]
    shine = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / SHINE) for x, y in MARKS[[8, 36, 45]])
    image = np.repeat((220 * np.clip(shine, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)
    path = tmp_path_factory.mktemp("photo") / "spots.png"
    cv2.imwrite(str(path), image)
    return path


def faces(photo: Path, augmentation: Augmentation, *, seed: int = 0) -> FacesSeenTwice:
    """That picture twelve times, and once one without a face."""
    samples = [Sample(photo, MARKS, "train") for _ in range(12)]
    nothing = [Background(np.full((64, 64, 3), 90, np.uint8), np.zeros((0, 4)))]
    data = FaceDataset(samples, SLIM_SPEC, augmentation=augmentation, backgrounds=nothing, seed=seed)
    return FacesSeenTwice(data, seed)


def spot_near(crop: FloatArray, place: FloatArray) -> FloatArray:
    """Middle of the light within 7 pixels of a place."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    light = np.where(np.hypot(columns - place[0], rows - place[1]) < 7, crop[..., 0].astype(float), 0)
    light[light < 60] = 0
    return np.asarray(np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum())


def size_of(motion: torch.Tensor) -> float:
    """Pixels by which the crop's corners and middle are moved at most."""
    places = np.array([[0.0, 0.0], [SIZE - 1, 0], [0, SIZE - 1], [SIZE - 1, SIZE - 1], [SIZE / 2, SIZE / 2]])
    return float(np.abs(transform_points(motion.numpy(), places) - places).max())


@pytest.mark.parametrize("flip", [0.0, 1.0], ids=["as they are", "mirrored"])
def test_both_views_show_the_face_where_their_landmarks_are(photo: Path, flip: float) -> None:
    seen = faces(photo, replace(AS_CUT, flip=flip))
    for item in range(12):
        views = seen[ItemKey(1, item)]
        first, second = views.landmarks.numpy()
        np.testing.assert_allclose(transform_points(views.motion.numpy(), first), second, atol=1e-3)
        for crop, marks in zip(views.crops.numpy(), (first, second), strict=True):
            for place in marks[[8, 36, 45]]:
                if place.min() > 8 and place.max() < SIZE - 9:
                    assert np.linalg.norm(spot_near(crop, place) - place) < 0.4


def test_most_motions_are_those_of_a_followed_face_and_a_part_loses_it(photo: Path) -> None:
    seen = faces(photo, AS_CUT)
    sizes = np.array([size_of(seen[ItemKey(epoch, item)].motion) for epoch in range(25) for item in range(12)])
    limit = 3 * SIZE * (0.008 + 0.5 * 0.01 + 0.5 * np.radians(0.7)) + 0.5
    assert (sizes > limit).mean() == pytest.approx(LOST_SHARE, abs=0.05)
    assert sizes.max() > 0.2 * SIZE


@pytest.mark.parametrize("motion", [FOLLOWED, LOST])
def test_a_motion_is_as_large_as_it_says(motion) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([moved(SIZE, motion, rng) for _ in range(800)])
    middle = np.full((1, 2), (SIZE - 1) / 2)
    shifts = np.array([transform_points(affine, middle)[0] - middle[0] for affine in drawn])
    assert shifts.std() == pytest.approx(motion.shift * SIZE, rel=0.1)
    assert np.abs(shifts).max() <= 3 * motion.shift * SIZE + 1e-9
    factor = drawn[:, 0, 0] + 1j * drawn[:, 1, 0]
    assert np.log(np.abs(factor)).std() == pytest.approx(motion.log_scale, rel=0.1)
    assert np.degrees(np.angle(factor)).std() == pytest.approx(motion.turn_deg, rel=0.1)


def test_a_crop_without_a_face_has_no_landmarks_in_either_view(photo: Path) -> None:
    views = faces(photo, AS_CUT)[ItemKey(0, 12)]
    assert not views.landmarks.any()
    assert (float(views.presence), float(views.weight)) == (0, 0)


def test_draws_depend_on_seed_epoch_and_item_alone(photo: Path) -> None:
    seen, again = faces(photo, AS_CUT, seed=5), faces(photo, AS_CUT, seed=5)
    other = [seen[ItemKey(0, 0)].motion, seen[ItemKey(1, 0)].motion, seen[ItemKey(0, 2)].motion]
    other.append(faces(photo, AS_CUT, seed=6)[ItemKey(0, 0)].motion)
    assert len({tuple(motion.flatten().tolist()) for motion in other}) == 4
    for ours, theirs in zip(seen[ItemKey(2, 4)], again[ItemKey(2, 4)], strict=True):
        assert torch.equal(ours, theirs)


def test_views_of_an_item_follow_one_another_as_faces(photo: Path) -> None:
    batch: TwoViews = default_collate([faces(photo, AS_CUT)[ItemKey(0, item)] for item in (11, 12)])
    flat = batch.as_faces()
    assert flat.crops.shape == (4, SIZE, SIZE, 3)
    assert flat.presence.tolist() == flat.weight.tolist() == [1, 1, 0, 0]
    assert torch.equal(flat.landmarks[:2], batch.landmarks[0])
