"""Crops with maps: the maps show the landmarks where the crop shows them, mirrored or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Roi
from startrack.train.augment.half_body import BodyVariation
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.heatmap_dataset import (
    AwingTargets,
    EvenVariation,
    GaussianTargets,
    HeatmapBatch,
    HeatmapDataset,
)
from startrack.train.losses.stacked_maps import StackedAwingLoss, StackedMseLoss
from startrack.train.models.awing_hourglass import MapOutput
from startrack.train.models.decode_peaks import dark, find_peaks
from startrack.train.sets import ibug_300w
from startrack.train.sets.body import coco_body
from startrack.train.sets.body.bodies import roi_of
from startrack.train.sets.hold_back import hold_back
from startrack.train.sets.sample import Sample
from startrack.train.targets.awing_curves import boundary_curves
from tests.train.made_bodies import make_coco

FACE = ModelSpec("tiny", "ibug_68", 68, input_size=128, heatmap_size=32, crop_scale=1.6)
BODY = ModelSpec("tiny", "coco_17", 17, input_size=128, heatmap_size=32, crop_scale=1.4)


def decoded(item: HeatmapBatch) -> np.ndarray:
    """Crop pixels."""
    maps = item.maps[None, : len(item.landmarks)].double()
    return 4 * (dark(maps, find_peaks(maps))[0].numpy() + 0.5) - 0.5


def faces(made_300w: Path, **changes) -> HeatmapDataset:
    arguments = {"targets": GaussianTargets(FACE, 1.5)} | changes
    return HeatmapDataset(ibug_300w.load(made_300w, "train"), FACE, **arguments)


def test_maps_show_the_landmarks_of_the_crop(made_300w: Path) -> None:
    for vary in (None, EvenVariation(30, 0.05, 0.1)):
        dataset = faces(made_300w, vary=vary)
        for number in range(4):
            item = dataset[ItemKey(0, number)]
            inside = ((item.landmarks > 14) & (item.landmarks < 113)).all(dim=1).numpy()
            assert inside.sum() > 40
            np.testing.assert_allclose(decoded(item)[inside], item.landmarks.numpy()[inside], atol=0.1)


def test_a_bgr_model_gets_bgr_crops(made_300w: Path) -> None:
    samples, targets = ibug_300w.load(made_300w, "train"), GaussianTargets(FACE, 1.5)
    for vary in (None, EvenVariation(30, 0.05, 0.1)):
        rgb, bgr = (
            HeatmapDataset(samples, spec, targets=targets, vary=vary)[ItemKey(0, 2)]
            for spec in (FACE, replace(FACE, colour_order="bgr"))
        )
        assert torch.equal(bgr.crops, rgb.crops.flip(-1))


def test_an_item_depends_on_its_key_alone(made_300w: Path) -> None:
    first, second = (faces(made_300w, vary=EvenVariation(30, 0.05, 0.1)) for _ in range(2))
    second[ItemKey(3, 3)]
    for one, other in zip(first[ItemKey(1, 2)], second[ItemKey(1, 2)], strict=True):
        torch.testing.assert_close(one, other)
    assert (first[ItemKey(1, 2)].crops != first[ItemKey(2, 2)].crops).any()


def test_a_mirrored_crop_is_the_mirrored_crop(made_300w: Path) -> None:
    plain = faces(made_300w)[ItemKey(0, 1)]
    mirrored = faces(made_300w, vary=lambda roi, *_: (roi, True))[ItemKey(0, 1)]
    difference = (plain.crops.flip(1).int() - mirrored.crops.int()).abs()
    assert float(difference.float().mean()) < 1
    landmarks = plain.landmarks[IBUG_68.flip_order.tolist()]
    torch.testing.assert_close(mirrored.landmarks, torch.stack([127 - landmarks[:, 0], landmarks[:, 1]], -1))
    torch.testing.assert_close(mirrored.maps, plain.maps.flip(-1)[IBUG_68.flip_order.tolist()], atol=1e-4, rtol=0)


def test_bodies_keep_their_unknown_landmarks_out(tmp_path: Path) -> None:
    bodies = coco_body.load(make_coco(tmp_path / "set", train=3, val=1), "train")
    samples = [body.sample for body in bodies]
    targets = GaussianTargets(BODY, 2.0)
    plain = HeatmapDataset(samples, BODY, targets=targets, plain_roi=roi_of)[ItemKey(0, 0)]
    assert plain.weight.tolist() == [float(k != 1) for k in range(17)]
    assert not plain.maps[1].any()
    assert torch.isnan(plain.landmarks[1]).all()
    varied = HeatmapDataset(samples, BODY, targets=targets, vary=lambda roi, *_: (roi, True), plain_roi=roi_of)
    assert varied[ItemKey(0, 0)].weight.tolist() == [float(k != 2) for k in range(17)]  # the other eye
    half = BodyVariation(half_body=1.0)
    item = HeatmapDataset(samples, BODY, targets=targets, vary=half, plain_roi=roi_of)[ItemKey(0, 1)]
    assert float(item.weight.sum()) >= 3


def test_adaptive_wing_sees_the_boundary_and_the_loss_leaves_unknown_maps_out(made_300w: Path) -> None:
    targets = AwingTargets(FACE, boundary_curves(IBUG_68))
    item = faces(made_300w, targets=targets)[ItemKey(0, 0)]
    assert item.maps.shape == (69, 32, 32)
    assert item.maps[-1].max() == 1
    batch = HeatmapBatch(*(value[None] for value in item))
    weight = batch.weight.clone()
    weight[0, 3] = 0
    output = MapOutput([batch.maps + 0.1, batch.maps.clone()])
    output.maps[0][0, 3] = 50.0
    for loss in (StackedAwingLoss(), StackedMseLoss()):
        first, second = loss(output, batch._replace(weight=weight)).values()
        assert 0 < float(first) < 10
        assert float(second) == 0


def test_held_back_pictures_are_the_same_everywhere(tmp_path: Path) -> None:
    samples = [Sample(tmp_path / f"{k // 2}.jpg", np.zeros((1, 2)), "train", entry=str(k)) for k in range(400)]
    train, validation = hold_back(samples)
    assert 20 < len(validation) < 60
    assert not {sample.path for sample in train} & {sample.path for sample in validation}
    again = hold_back([replace(sample, weight=0.5) for sample in samples])
    assert [sample.name for sample in again[1]] == [sample.name for sample in validation]


@pytest.mark.parametrize("seed", range(3))
def test_even_variation_stays_in_its_bounds(seed: int) -> None:
    roi, _ = EvenVariation(50, 0.1, 0.15)(
        Roi(np.array([5.0, 5]), 100.0), np.zeros((1, 2)), np.ones(1, bool), IBUG_68, np.random.default_rng(seed)
    )
    assert np.abs(roi.centre - 5).max() <= 10
    assert 1 / 1.15 <= roi.side / 100 <= 1 / 0.85
    assert abs(roi.angle_rad) <= np.radians(50)
