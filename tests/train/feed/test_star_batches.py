from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from startrack.tracker.crop import roi_from_points
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.augment.batch_draws import draw_augmentation
from startrack.train.augment.batch_random import sample_keys
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.schedule import TrainingSchedule
from startrack.train.feed.star_batch import StarBatch
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.packs.pack import pack_faces
from startrack.train.packs.packed_faces import PackedFaces, load_packed_faces
from startrack.train.sets import ibug_300w
from startrack.train.sets.star_crop import crop_matrix, cut_star_crop, frame_to_crop, normalise
from startrack.train.targets.star import edge_maps, point_maps

SIZE = 64
FULL = StarAugmentation()
STILL = StarAugmentation(**{field.name: 0.0 for field in fields(StarAugmentation) if field.type == "float"})


@pytest.fixture(scope="module")
def faces(made_300w: Path, tmp_path_factory: pytest.TempPathFactory) -> PackedFaces:
    path = tmp_path_factory.mktemp("pack") / "faces.pack"
    pack_faces(ibug_300w.load(made_300w, "trainval"), path, size=96)
    return load_packed_faces(path)


def batches(faces: PackedFaces, augmentation: StarAugmentation | None = FULL, seed: int = 0) -> StarBatches:
    return StarBatches(faces, crop_scale=1.25, augmentation=augmentation, crop_size=SIZE, seed=seed)


def keys(items: list[int], epoch: int = 2) -> KeyBatch:
    return KeyBatch(torch.full((len(items),), epoch), torch.tensor(items))


def assert_same(one: StarBatch, other: StarBatch) -> None:
    for name, first, second in zip(StarBatch._fields, one, other, strict=True):
        assert first.dtype == second.dtype
        torch.testing.assert_close(first, second, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("augmentation", [None, STILL])
def test_the_plain_batch_is_the_plain_crops(faces: PackedFaces, augmentation: StarAugmentation | None) -> None:
    # off the middle, where a blob's centre is rounded
    jitter = torch.rand(faces.landmarks.shape, generator=torch.Generator().manual_seed(0))
    faces = replace(faces, landmarks=faces.landmarks + jitter)
    batch = batches(faces, augmentation).prepare(keys([3, 0, 5]), "cpu")
    for index, item in enumerate((3, 0, 5)):
        landmarks = faces.landmarks[item].numpy()
        matrix = crop_matrix(roi_from_points(landmarks, 1.25), SIZE)
        moved = frame_to_crop(matrix, landmarks)
        difference = np.abs(
            batch.crops[index].numpy().astype(int) - cut_star_crop(faces.pictures[item].numpy(), matrix, SIZE)
        )
        assert difference.mean() < 0.5
        np.testing.assert_allclose(batch.landmarks[index], normalise(moved, SIZE), atol=1e-5)
        np.testing.assert_allclose(batch.point_maps[index], point_maps(moved, SIZE), atol=1e-6)
        np.testing.assert_allclose(batch.edge_maps[index], edge_maps(moved, IBUG_68.edges, SIZE), atol=0.1)
    assert batch.weight.tolist() == [1.0, 1.0, 1.0]


def test_shapes_and_types(faces: PackedFaces) -> None:
    batch = batches(faces).prepare(keys(list(range(10))), "cpu")
    expected = {
        "crops": ((10, SIZE, SIZE, 3), torch.uint8),
        "landmarks": ((10, 68, 2), torch.float32),
        "point_maps": ((10, 68, SIZE // 4, SIZE // 4), torch.float32),
        "edge_maps": ((10, 9, SIZE // 4, SIZE // 4), torch.float32),
        "weight": ((10,), torch.float32),
    }
    assert {name: (tuple(value.shape), value.dtype) for name, value in batch._asdict().items()} == expected
    assert all(value.is_contiguous() for value in batch)
    assert batch.landmarks.abs().max() <= 1
    assert not any(value.requires_grad for value in batch)


def test_a_face_looks_the_same_whatever_stands_beside_it(faces: PackedFaces) -> None:
    made = batches(faces, seed=4)
    whole = made.prepare(keys([1, 2, 7, 9]), "cpu")
    mixed = made.prepare(KeyBatch(torch.tensor([8, 2, 2]), torch.tensor([1, 9, 7])), "cpu")
    picked = StarBatch(*(value[1:] for value in mixed))
    assert_same(picked, StarBatch(*(value[[3, 2]] for value in whole)))
    assert_same(batches(faces, seed=4).prepare(keys([2]), "cpu"), StarBatch(*(value[1:2] for value in whole)))


def test_epochs_seeds_and_faces_differ(faces: PackedFaces) -> None:
    one = batches(faces).prepare(keys([1, 1]), "cpu")
    assert torch.equal(one.crops[0], one.crops[1])
    for other in (
        batches(faces).prepare(keys([1], epoch=3), "cpu"),
        batches(faces, seed=1).prepare(keys([1]), "cpu"),
    ):
        assert not torch.equal(one.landmarks[:1], other.landmarks)
        assert not torch.equal(one.crops[:1], other.crops)


def test_landmarks_and_maps_follow_the_picture() -> None:
    """Bright dots at the landmarks of a black picture are found where the batch says, mirrored ones too."""
    rng = np.random.default_rng(1)
    points = rng.uniform(30, 66, (1, 68, 2)).round(1)
    rows, columns = np.mgrid[:96, :96]
    for index in (36, 45, 8):
        picture = 255 * np.exp(-((columns - points[0, index, 0]) ** 2 + (rows - points[0, index, 1]) ** 2) / 8)
        faces = PackedFaces(
            scheme=IBUG_68,
            pictures=torch.from_numpy(np.repeat(picture[None, ..., None], 3, axis=3).astype(np.uint8)),
            landmarks=torch.from_numpy(points),
            zooms=torch.ones(1).double(),
            weights=torch.ones(1),
            names=("dot",),
            subsets=("made",),
        )
        still = StarAugmentation(occlusion=0, blur=0, gamma=0, noise=0, grey=0)
        made = StarBatches(faces, crop_scale=2, augmentation=still, crop_size=256)
        item = torch.zeros(6, dtype=torch.int64)
        mirrored = draw_augmentation(sample_keys(torch.arange(6), item, 0), still, 8).mirrored
        assert 0 < mirrored.sum() < 6
        batch = made.prepare(KeyBatch(torch.arange(6), item), "cpu")
        for face in range(6):
            light = batch.crops[face, ..., 0].double()
            found = torch.stack([(light.sum(axis) * torch.arange(256)).sum() for axis in (0, 1)]) / light.sum()
            number = int(IBUG_68.flip_order[index]) if mirrored[face] else index
            said = ((batch.landmarks[face, number].double() + 1) * 256 - 1) / 2
            torch.testing.assert_close(found, said, atol=0.6, rtol=0)
            blob = batch.point_maps[face, number].double()
            cell = torch.stack([(blob.sum(axis) * torch.arange(64)).sum() for axis in (0, 1)]) / blob.sum()
            torch.testing.assert_close(4 * cell + 1.5, said, atol=0.8, rtol=0)


def some_faces(scheme: LandmarkScheme, count: int = 4) -> PackedFaces:
    rng = np.random.default_rng(3)
    return PackedFaces(
        scheme=scheme,
        pictures=torch.from_numpy(rng.integers(0, 256, (count, 48, 48, 3), np.uint8)),
        landmarks=torch.from_numpy(rng.uniform(8, 40, (count, scheme.num_landmarks, 2))),
        zooms=torch.full((count,), 0.5).double(),
        weights=torch.linspace(0.25, 1, count),
        names=tuple("abcd")[:count],
        subsets=("made",) * count,
    )


@pytest.mark.parametrize("scheme", [WFLW_98, COFW_29], ids=["WFLW", "COFW"])
def test_other_schemes(scheme: LandmarkScheme) -> None:
    faces = some_faces(scheme)
    batch = StarBatches(faces, crop_scale=1.25, augmentation=StarAugmentation(), crop_size=SIZE).prepare(
        keys([0, 3]), "cpu"
    )
    assert batch.point_maps.shape[1] == scheme.num_landmarks
    assert batch.edge_maps.shape[1] == len(scheme.edges)
    assert batch.weight.tolist() == [0.25, 1.0]


def test_official_mirror_of_cofw_is_a_pixel_off() -> None:
    """A pixel of the original picture: half a pixel of one packed at half its size."""
    for scheme, official, offset in ((WFLW_98, True, 0.0), (COFW_29, False, 0.0), (COFW_29, True, 0.5)):
        made = StarBatches(some_faces(scheme), crop_scale=1.25, augmentation=FULL, official_mirror=official)
        assert made.maker.mirror_offsets.tolist() == [offset] * 4


def test_it_stands_in_a_loader_like_any_data_set(faces: PackedFaces) -> None:
    made = batches(faces)
    schedule = TrainingSchedule(len(made), batch_size=10, epochs=2, seed=3)
    loaded = list(DataLoader(made, batch_sampler=schedule))
    assert len(loaded) == len(schedule) == 4
    assert made[ItemKey(1, 5)] == (1, 5)
    for batch, expected in zip(loaded, schedule, strict=True):
        assert isinstance(batch, KeyBatch)
        assert batch.epoch.tolist() == [key.epoch for key in expected]
        assert batch.item.tolist() == [key.item for key in expected]
        assert made.prepare(batch, "cpu").crops.shape == (10, SIZE, SIZE, 3)
