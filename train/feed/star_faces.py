"""The faces of a STAR training: a published data set, prepared on the CPU, or packs of it, prepared where it trains."""

# B batch, K landmarks, S side of the crop

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import LandmarkScheme, find_scheme
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.cropped_faces import CroppedFace, CroppedFaces, PlainFaces
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.feed.star_dataset import StarDataset
from startrack.train.packs.packed_faces import PackedFaces, load_packed_faces
from startrack.train.sets import points_folder
from startrack.train.sets.sample import DatasetError, Sample


@dataclass(frozen=True, slots=True, eq=False)
class StarFaces:
    """Where the faces come from."""

    data: Path
    """The folder of the data set, as published, or a pack of the faces to train on (train/packs/pack.py)."""
    load: Callable[[Path, str], list[Sample]]
    """Reads a split of the folder."""
    split: str = "train"
    """Of the folder: the faces to train on."""
    validation_split: str = "validation"
    """Of the folder: the faces to watch the training by."""
    validation: Path | None = None
    """A pack of those; for a training from a pack."""
    extra: Sequence[Path] = ()
    """Further faces: folders of pictures with .pts, or packs if data is one."""
    extra_weight: float = 1.0
    """Of each of those in the loss, times its own; below 1 where their landmarks are less certain."""
    scheme: LandmarkScheme | None = None
    """Markup with the flip pairs of a user's own landmarks; None: that of the specification."""
    leave_out: Callable[[str], bool] | None = None
    """Of the names of further faces (Sample.name): those that the training is watched by."""

    def training(self, spec: ModelSpec, seed: int) -> tuple[Dataset[Any], Callable[[Any, str], Any] | None]:
        """Recipe.train_data and Recipe.prepare. Raises DatasetError where anything is not as published."""
        scheme = self.scheme or find_scheme(spec.scheme)
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
        samples = self.load(self.data, self.split) + self._further()
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
        return CroppedFaces(self.load(self.data, self.validation_split), spec)

    def _further(self) -> list[Sample]:
        samples = [sample for folder in self.extra for sample in points_folder.load(folder, "all")]
        return [
            replace(sample, weight=self.extra_weight * sample.weight)
            for sample in samples
            if self.leave_out is None or not self.leave_out(sample.name)
        ]

    def _packed(self, spec: ModelSpec) -> PackedFaces:
        faces = _of_scheme(self.data, spec)
        for path in self.extra:
            further = _of_scheme(path, spec)
            kept = [n for n, name in enumerate(further.names) if self.leave_out is None or not self.leave_out(name)]
            faces = _joined(faces, further, kept, weight=self.extra_weight, name=str(path))
        return faces


def _of_scheme(path: Path, spec: ModelSpec) -> PackedFaces:
    faces = load_packed_faces(path)
    if faces.scheme.name != spec.scheme:
        raise DatasetError(f"{path}: faces of {faces.scheme.name}; expected {spec.scheme}")
    return faces


def _joined(faces: PackedFaces, further: PackedFaces, kept: Sequence[int], *, weight: float, name: str) -> PackedFaces:
    """Both; of the second ones those kept, at this weight."""
    if further.size != faces.size:
        raise DatasetError(f"{name}: packed pictures of {further.size} pixels; expected {faces.size} like the others")
    rows = torch.tensor(kept, dtype=torch.int64)
    return PackedFaces(
        scheme=faces.scheme,
        pictures=torch.cat([faces.pictures, further.pictures[rows]]),
        landmarks=torch.cat([faces.landmarks, further.landmarks[rows]]),
        zooms=torch.cat([faces.zooms, further.zooms[rows]]),
        weights=torch.cat([faces.weights, weight * further.weights[rows]]),
        names=faces.names + tuple(further.names[row] for row in kept),
        subsets=faces.subsets + tuple(further.subsets[row] for row in kept),
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
