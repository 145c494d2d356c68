"""What a STAR training is fed when the CPU prepares it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batch import StarBatch
from startrack.train.feed.star_dataset import StarDataset
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.sets.star_crop import denormalise
from startrack.train.targets.star import point_maps

PLAIN = StarAugmentation(rotation_rad=0, scale=0, shift=0, mirror=0, occlusion=0, blur=0, gamma=0, noise=0, grey=0)


def dataset(samples: list[Sample], **changes) -> StarDataset:
    arguments = {"crop_scale": 1.25, "crop_size": 64, "augmentation": PLAIN, "scheme": IBUG_68} | changes
    return StarDataset(samples, arguments.pop("scheme"), **arguments)


def test_a_batch_has_the_shapes_and_types_of_star_batch(made_300w: Path) -> None:
    faces = dataset(ibug_300w.load(made_300w, "train"), augmentation=StarAugmentation())
    batch = default_collate([faces[ItemKey(3, index)] for index in range(2)])
    assert isinstance(batch, StarBatch)
    assert [tuple(value.shape) for value in batch] == [
        (2, 64, 64, 3),
        (2, 68, 2),
        (2, 68, 16, 16),
        (2, 9, 16, 16),
        (2,),
    ]
    assert [value.dtype for value in batch] == [torch.uint8, *[torch.float32] * 4]
    assert batch.landmarks.abs().max() <= 1
    assert batch.edge_maps.amax(dim=(2, 3)).min() > 0


def test_an_item_depends_on_seed_epoch_and_item_alone(made_300w: Path) -> None:
    samples = ibug_300w.load(made_300w, "train")
    first, again, other = (dataset(samples, augmentation=StarAugmentation(), seed=seed) for seed in (5, 5, 6))
    again[ItemKey(0, 0)]
    same = zip(first[ItemKey(2, 3)], again[ItemKey(2, 3)], strict=True)
    assert all(torch.equal(one, two) for one, two in same)
    for faces, key in ((other, ItemKey(2, 3)), (first, ItemKey(1, 3)), (first, ItemKey(2, 4))):
        assert not torch.equal(faces[key].landmarks, first[ItemKey(2, 3)].landmarks)


def test_without_changes_it_is_what_the_tracker_cuts(made_300w: Path) -> None:
    sample = ibug_300w.load(made_300w, "train")[0]
    item = dataset([replace(sample, weight=0.25)])[ItemKey(0, 0)]
    affine = crop_affine(roi_from_points(sample.landmarks, 1.25), 64)
    crop = cut_crop(sample.read_image(), affine, 64)
    # this face is shrunk to the half: the tracker averages first, the STAR code does not
    difference = np.abs(item.crops.numpy()[..., ::-1].astype(int) - crop)
    assert difference.mean() < 3
    assert np.abs(item.crops.numpy().astype(int) - crop).mean() > 10  # BGR
    expected = transform_points(affine, sample.landmarks)
    np.testing.assert_allclose(denormalise(item.landmarks.numpy(), 64), expected, atol=1e-4)
    # a landmark in the middle of four pixels may be rounded to any of them
    assert np.abs(item.point_maps.numpy() - point_maps(expected, 64)).mean() < 1e-3
    assert float(item.weight) == 0.25


@pytest.mark.parametrize("scheme", [IBUG_68, WFLW_98, COFW_29])
def test_a_mirrored_face_has_its_landmarks_on_the_same_pixels(scheme, tmp_path: Path) -> None:
    image = np.zeros((90, 100, 3), np.uint8)
    points = np.random.default_rng(0).uniform(20, 70, (scheme.num_landmarks, 2)).round()
    points[5] = (30, 40)
    image[40, 30] = 255
    cv2.imwrite(str(tmp_path / "face.png"), image)
    sample = Sample(tmp_path / "face.png", points, "train")
    faces = dataset([sample], scheme=scheme, augmentation=replace(PLAIN, mirror=1.0), crop_size=256)
    item = faces[ItemKey(0, 0)]
    landmarks = denormalise(item.landmarks.numpy())[list(scheme.flip_order).index(5)]
    bright = item.crops.numpy()[..., 0].astype(float)
    rows, columns = np.mgrid[:256, :256]
    centre = [(bright * columns).sum() / bright.sum(), (bright * rows).sum() / bright.sum()]
    np.testing.assert_allclose(landmarks, centre, atol=0.1)


def test_a_face_with_unknown_landmarks_is_named(tmp_path: Path) -> None:
    points = np.zeros((68, 2))
    points[3, 0] = np.nan
    with pytest.raises(DatasetError, match=r"half\.png: .*half has landmarks without a place"):
        dataset([Sample(tmp_path / "half.png", points, "train")])
