from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.types import Roi
from startrack.train.augment.face_augment import Augmentation, Mixture, change_texture, random_affine
from startrack.train.feed.dataset import FaceBatch, FaceDataset, ItemKey
from startrack.train.feed.schedule import TrainingSchedule
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import background_square, load_backgrounds
from startrack.train.sets.sample import DatasetError

SPEC = ModelSpec("tiny", "ibug_68", 68, input_size=64, heatmap_size=16, crop_scale=1.25)
STILL = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})


def dataset(root: Path, augmentation: Augmentation | Mixture | None, **options) -> FaceDataset:
    samples = ibug_300w.load(root, "trainval")
    return FaceDataset(samples, SPEC, augmentation=augmentation, **options)


def test_plain_crop_is_the_trackers_crop(made_300w: Path) -> None:
    faces = dataset(made_300w, None)
    sample = ibug_300w.load(made_300w, "trainval")[3]
    affine = crop_affine(roi_from_points(sample.landmarks, 1.25), 64)
    item = faces[ItemKey(0, 3)]
    np.testing.assert_allclose(item.landmarks, transform_points(affine, sample.landmarks), atol=0.3)
    direct = cut_crop(sample.read_image(), affine, 64).astype(int)
    assert np.abs(direct - item.crops.numpy()).mean() < 4
    assert item.presence == item.weight == 1


def test_a_bgr_model_gets_bgr_crops(made_300w: Path, made_backgrounds: Path) -> None:
    samples, backgrounds = ibug_300w.load(made_300w, "trainval") * 3, load_backgrounds(made_backgrounds)
    for augmentation in (None, Augmentation()):
        rgb, bgr = (
            FaceDataset(samples, spec, augmentation=augmentation, backgrounds=backgrounds)
            for spec in (SPEC, replace(SPEC, colour_order="bgr"))
        )
        assert rgb.num_backgrounds >= 1
        for number in (0, 5, len(rgb) - 1):
            assert torch.equal(bgr[ItemKey(1, number)].crops, rgb[ItemKey(1, number)].crops.flip(-1))


def test_augmentation_of_nothing_changes_nothing(made_300w: Path) -> None:
    for plain, still in zip(
        dataset(made_300w, None)[ItemKey(0, 0)], dataset(made_300w, STILL)[ItemKey(5, 0)], strict=True
    ):
        torch.testing.assert_close(plain, still)


def test_a_face_of_which_landmarks_are_missing_is_named(made_300w: Path) -> None:
    sample = ibug_300w.load(made_300w, "trainval")[0]
    landmarks = sample.landmarks.copy()
    landmarks[[3, 40], 0] = np.nan
    with pytest.raises(DatasetError, match=r"66 landmarks annotated; expected all 68"):
        FaceDataset([replace(sample, landmarks=landmarks)], SPEC, augmentation=None)


def test_an_item_depends_on_seed_epoch_and_index_alone(made_300w: Path) -> None:
    first, again = dataset(made_300w, Augmentation(), seed=4), dataset(made_300w, Augmentation(), seed=4)
    _ = again[ItemKey(0, 0)]
    for one, other in zip(first[ItemKey(2, 7)], again[ItemKey(2, 7)], strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.equal(first[ItemKey(2, 7)].crops, first[ItemKey(3, 7)].crops)


def test_landmarks_move_with_the_picture() -> None:
    """A white dot in a black picture is found where its landmark says, through turns, shears and mirrors."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:200, :200]
    for _ in range(20):
        dot = rng.uniform(80, 120, 2)
        image = (255 * np.exp(-((columns - dot[0]) ** 2 + (rows - dot[1]) ** 2) / 18)).astype(np.uint8)
        affine, _ = random_affine(Roi(np.array([100.0, 100.0]), 120.0), 128, Augmentation(), rng)
        crop = cut_crop(np.repeat(image[..., None], 3, axis=2), affine, 128)[..., 0].astype(float)
        mass = crop.sum()
        centre = (crop.sum(axis=0) @ np.arange(128) / mass, crop.sum(axis=1) @ np.arange(128) / mass)
        np.testing.assert_allclose(centre, transform_points(affine, dot), atol=0.15)


def test_a_mirrored_face_has_its_landmarks_renumbered(made_300w: Path) -> None:
    item = dataset(
        made_300w, Augmentation(**{field.name: float(field.name == "flip") for field in fields(Augmentation)})
    )
    landmarks = item[ItemKey(0, 0)].landmarks
    assert landmarks[36, 0] < landmarks[45, 0]
    assert landmarks[0, 0] < landmarks[16, 0]


@pytest.mark.parametrize(
    "field", [field.name for field in fields(Augmentation) if field.default and field.name not in ("flip",)]
)
def test_each_change_really_changes_the_picture(made_300w: Path, field: str) -> None:
    strength = {one.name: 0.0 for one in fields(Augmentation)} | {field: getattr(Augmentation(), field) or 1.0}
    if field not in ("rotation_deg", "log_scale", "shift", "log_aspect", "shear"):
        strength[field] = 1.0
    faces, plain = dataset(made_300w, Augmentation(**strength)), dataset(made_300w, None)
    changed = [not torch.equal(faces[ItemKey(0, i)].crops, plain[ItemKey(0, i)].crops) for i in range(8)]
    assert sum(changed) >= 6


def test_a_mixture_changes_each_sample_in_one_of_its_ways(made_300w: Path) -> None:
    shifted = replace(STILL, shift=0.1)
    mixture = Mixture(((0.25, STILL), (0.75, shifted)))
    drawn = [mixture.draw(np.random.default_rng(seed)) for seed in range(4000)]
    assert drawn.count(STILL) == pytest.approx(1000, abs=120)
    assert drawn.count(STILL) + drawn.count(shifted) == 4000
    faces, plain = dataset(made_300w, mixture), dataset(made_300w, None)
    keys = [ItemKey(epoch, item) for epoch in range(10) for item in range(20)]
    still = sum(torch.equal(faces[key].crops, plain[ItemKey(0, key.item)].crops) for key in keys)
    assert still == pytest.approx(50, abs=25)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5), ()])
def test_shares_of_a_mixture_add_up(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="at least 0 that add up to 1"):
        Mixture(tuple((share, STILL) for share in shares))


def test_an_upright_sample_is_cut_as_the_tracker_cuts_it(made_300w: Path) -> None:
    sample = ibug_300w.load(made_300w, "trainval")[3]
    middle = sample.landmarks.mean(axis=0)
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), 20.0, 1.0)
    turned = replace(sample, landmarks=transform_points(turn, sample.landmarks))
    items = {
        upright: FaceDataset([turned], SPEC, augmentation=replace(STILL, upright=upright))[ItemKey(0, 0)]
        for upright in (0.0, 1.0)
    }
    across = {upright: item.landmarks[45] - item.landmarks[36] for upright, item in items.items()}
    assert abs(float(across[0.0][1] / across[0.0][0])) == pytest.approx(np.tan(np.radians(20)), abs=0.02)
    assert abs(float(across[1.0][1] / across[1.0][0])) < 0.02


def test_texture_leaves_its_input_alone() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    before = crop.copy()
    for seed in range(20):
        changed = change_texture(crop, Augmentation(), np.random.default_rng(seed))
        assert changed.shape == crop.shape
        assert changed.dtype == np.uint8
    np.testing.assert_array_equal(crop, before)


def test_backgrounds_show_no_face_and_say_so(made_300w: Path, made_backgrounds: Path) -> None:
    backgrounds = load_backgrounds(made_backgrounds)
    rng = np.random.default_rng(0)
    for _ in range(100):
        square = background_square(backgrounds[1], rng)
        if square is not None:
            low, high = square[:2] - square[2] / 2, square[:2] + square[2] / 2
            overlap = (np.minimum(high, [80, 90]) - np.maximum(low, [20, 20])).clip(0).prod()
            assert overlap <= 0.1 * 60 * 70 or 0.1 * square[2] >= 70
    faces = dataset(made_300w, Augmentation(), backgrounds=backgrounds)
    assert len(faces) == 24 + 2
    for index in (24, 25):
        item = faces[ItemKey(0, index)]
        assert item.presence == item.weight == 0


def test_a_wrong_list_of_backgrounds_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"faces\.json"):
        load_backgrounds(tmp_path)
    (tmp_path / "faces.json").write_text(json.dumps({"images": {"a.jpg": "nonsense"}}))
    with pytest.raises(DatasetError, match=r"faces\.json"):
        load_backgrounds(tmp_path)


def test_schedule_shows_every_item_once_an_epoch_and_resumes_in_the_middle() -> None:
    whole = list(TrainingSchedule(10, batch_size=3, epochs=4, seed=1))
    assert len(whole) == 12
    for epoch in range(4):
        seen = [key.item for batch in whole[3 * epoch : 3 * epoch + 3] for key in batch]
        assert len(set(seen)) == 9
        assert {key.epoch for batch in whole[3 * epoch : 3 * epoch + 3] for key in batch} == {epoch}
    rest = TrainingSchedule(10, batch_size=3, epochs=4, seed=1, first_step=5)
    assert list(rest) == whole[5:]
    assert len(rest) == 7


def test_batches_come_through_worker_processes(made_300w: Path) -> None:
    faces = dataset(made_300w, Augmentation())
    schedule = TrainingSchedule(len(faces), batch_size=8, epochs=1)
    batches = list(DataLoader(faces, batch_sampler=schedule, num_workers=1))
    assert len(batches) == 3
    assert isinstance(batches[0], FaceBatch)
    assert batches[0].crops.shape == (8, 64, 64, 3)
    assert batches[0].landmarks.shape == (8, 68, 2)
