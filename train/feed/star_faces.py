"""The faces of a STAR training: a published data set, prepared on the CPU, or packs of it, prepared where it trains."""

# B batch, K landmarks, S side of the crop

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import find_scheme
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.cropped_faces import CroppedFace, CroppedFaces, PlainFaces
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.feed.star_dataset import StarDataset
from startrack.train.packs.packed_faces import PackedFaces, load_packed_faces
from startrack.train.sets import points_folder
from startrack.train.sets.sample import UNCERTAIN_WEIGHT, DatasetError, Sample


@dataclass(frozen=True, slots=True, eq=False)
class StarFaces:
    """Where the faces come from."""

    data: Path
    """The folder of the data set, as published, or a pack of the faces to train on (train/packs/pack.py)."""
    load: Callable[[Path, str], list[Sample]]
    """Reads a split of the folder."""
    split: str = "train"
    """Of the folder: the faces to train on."""
    watched: str = "validation"
    """Of the folder: the faces to watch the training by."""
    validation: Path | None = None
    """A pack of those; for a training from a pack."""
    extra: Path | None = None
    """Further faces of uncertain landmarks: a folder of pictures with .pts, or a pack if data is one."""

    def training(self, spec: ModelSpec, seed: int) -> tuple[Dataset[Any], Callable[[Any, str], Any] | None]:
        """Recipe.train_data and Recipe.prepare. Raises DatasetError where anything is not as published."""
        scheme = find_scheme(spec.scheme)
        # which points change places in a mirror is not known of a markup without pairs
        augmentation = StarAugmentation() if scheme.flip_pairs else StarAugmentation(mirror=0)
        if self.data.is_file():
            batches = StarBatches(
                self._packed(spec),
                crop_scale=spec.crop_scale,
                augmentation=augmentation,
                crop_size=spec.input_size,
                seed=seed,
            )
            return batches, batches.prepare
        samples = self.load(self.data, self.split)
        if self.extra is not None:
            samples = samples + [
                replace(sample, weight=UNCERTAIN_WEIGHT) for sample in points_folder.load(self.extra, "all")
            ]
        dataset = StarDataset(
            samples,
            scheme,
            crop_scale=spec.crop_scale,
            crop_size=spec.input_size,
            augmentation=augmentation,
            seed=seed,
        )
        return dataset, None

    def plain(self, spec: ModelSpec) -> PlainFaces:
        """The faces to watch by. Raises DatasetError if a training from a pack has none."""
        if self.validation is not None:
            return PackedCrops(_of_scheme(self.validation, spec), spec)
        if self.data.is_file():
            raise DatasetError(f"{self.data}: a pack to train on; expected another one to validate on: --validation")
        return CroppedFaces(self.load(self.data, self.watched), spec)

    def _packed(self, spec: ModelSpec) -> PackedFaces:
        faces = _of_scheme(self.data, spec)
        return faces if self.extra is None else _joined(faces, _of_scheme(self.extra, spec), str(self.extra))


def _of_scheme(path: Path, spec: ModelSpec) -> PackedFaces:
    faces = load_packed_faces(path)
    if faces.scheme.name != spec.scheme:
        raise DatasetError(f"{path}: faces of {faces.scheme.name}; expected {spec.scheme}")
    return faces


def _joined(faces: PackedFaces, extra: PackedFaces, name: str) -> PackedFaces:
    """Both, the second ones at their low weight."""
    if extra.size != faces.size:
        raise DatasetError(f"{name}: packed pictures of {extra.size} pixels; expected {faces.size} like the others")
    return PackedFaces(
        scheme=faces.scheme,
        pictures=torch.cat([faces.pictures, extra.pictures]),
        landmarks=torch.cat([faces.landmarks, extra.landmarks]),
        zooms=torch.cat([faces.zooms, extra.zooms]),
        weights=torch.cat([faces.weights, torch.full_like(extra.weights, UNCERTAIN_WEIGHT)]),
        names=faces.names + extra.names,
        subsets=faces.subsets + extra.subsets,
    )


class PackedCrops:
    """The plain crops of packed faces, on the CPU."""

    def __init__(self, faces: PackedFaces, spec: ModelSpec) -> None:
        self.scheme = faces.scheme
        self._faces = StarBatches(faces, crop_scale=spec.crop_scale, augmentation=None, crop_size=spec.input_size)

    def __len__(self) -> int:
        return len(self._faces)

    def __getitem__(self, key: ItemKey) -> CroppedFace:
        batch = self._faces.prepare(KeyBatch(torch.tensor([key.epoch]), torch.tensor([key.item])), "cpu")
        size = batch.crops.shape[1]
        return CroppedFace(batch.crops[0], ((batch.landmarks[0] + 1) * size - 1) / 2)
