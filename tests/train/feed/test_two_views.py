from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, default_collate

from startrack.tracker.crop import transform_points
from startrack.tracker.types import FloatArray
from startrack.train.feed.dataset import FaceBatch, ItemKey
from startrack.train.feed.two_views import FacesSeenTwice, small_motion

SIZE = 96
SPOTS = np.array([[20.0, 24.0], [70.0, 30.0], [45.0, 72.0]], np.float32)


class Spots(Dataset[FaceBatch]):
    """Even items: three bright spots, which are the landmarks; odd ones: no face."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, key: ItemKey) -> FaceBatch:
        rows, columns = np.mgrid[:SIZE, :SIZE]
        shine = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in SPOTS)
        crop = np.repeat((220 * np.clip(shine, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)
        is_face = float(key.item % 2 == 0)
        return FaceBatch(
            torch.from_numpy(crop), torch.from_numpy(SPOTS * is_face), torch.tensor(is_face), torch.tensor(is_face)
        )


def spot_near(crop: FloatArray, place: FloatArray) -> FloatArray:
    """Middle of the light within 9 pixels of a place."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    near = np.hypot(columns - place[0], rows - place[1]) < 9
    light = np.where(near, crop[..., 0].astype(float), 0)
    light[light < 40] = 0
    weighed = np.array([(columns * light).sum(), (rows * light).sum()])
    return np.asarray(weighed / light.sum())


@pytest.mark.parametrize("item", [0, 2, 4, 6])
def test_the_landmarks_of_the_second_view_lie_on_what_they_lay_on(item: int) -> None:
    views = FacesSeenTwice(Spots(), seed=3)[ItemKey(1, item)]
    first, second = views.landmarks.numpy()
    np.testing.assert_array_equal(first, SPOTS)
    np.testing.assert_allclose(transform_points(views.motion.numpy(), first), second, atol=1e-4)
    assert np.abs(second - first).max() > 0.1
    for place in second:
        assert np.linalg.norm(spot_near(views.crops[1].numpy(), place) - place) < 0.35


def test_motions_are_those_of_a_followed_face() -> None:
    rng = np.random.default_rng(0)
    corner, middle = np.array([[0.0, 0.0]]), np.full((1, 2), (SIZE - 1) / 2)
    moved = np.array([transform_points(small_motion(SIZE, rng), middle)[0] - middle[0] for _ in range(600)])
    assert moved.std() == pytest.approx(0.008 * SIZE, rel=0.1)
    assert np.abs(moved).max() <= 3 * 0.008 * SIZE + 1e-9
    away = [np.linalg.norm(transform_points(small_motion(SIZE, rng), corner) - corner) for _ in range(600)]
    assert max(away) < 0.08 * SIZE


def test_a_crop_without_a_face_has_no_landmarks_in_either_view() -> None:
    views = FacesSeenTwice(Spots(), seed=0)[ItemKey(0, 1)]
    assert not views.landmarks.any()
    assert (float(views.presence), float(views.weight)) == (0, 0)


def test_draws_depend_on_seed_epoch_and_item_alone() -> None:
    faces = FacesSeenTwice(Spots(), seed=5)
    again = FacesSeenTwice(Spots(), seed=5)
    other = [faces[ItemKey(0, 0)].motion, faces[ItemKey(1, 0)].motion, faces[ItemKey(0, 2)].motion]
    other.append(FacesSeenTwice(Spots(), seed=6)[ItemKey(0, 0)].motion)
    assert len({tuple(motion.flatten().tolist()) for motion in other}) == 4
    for ours, theirs in zip(faces[ItemKey(2, 4)], again[ItemKey(2, 4)], strict=True):
        assert torch.equal(ours, theirs)


def test_views_of_an_item_follow_one_another_as_faces() -> None:
    batch = default_collate([FacesSeenTwice(Spots(), seed=0)[ItemKey(0, item)] for item in (0, 1, 2)])
    faces = batch.as_faces()
    assert faces.crops.shape == (6, SIZE, SIZE, 3)
    assert faces.presence.tolist() == faces.weight.tolist() == [1, 1, 0, 0, 1, 1]
    assert torch.equal(faces.landmarks[4:], batch.landmarks[2])
