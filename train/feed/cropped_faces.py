"""Faces cut as the tracker cuts them, without augmentation: the validation of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import roi_from_points
from startrack.tracker.cut import cut_for
from startrack.tracker.schemes import LandmarkScheme, find_scheme
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.sample import Sample


class PlainFace(Protocol):
    """What of an item is looked at: a face as an evaluation cuts it."""

    @property
    def crops(self) -> Tensor:
        """(S, S, 3) uint8, as the network takes it."""
        ...

    @property
    def landmarks(self) -> Tensor:
        """(K, 2) crop pixels."""
        ...


class PlainFaces(Protocol):
    """Faces to watch a training by."""

    scheme: LandmarkScheme

    def __len__(self) -> int: ...

    def __getitem__(self, key: ItemKey, /) -> PlainFace: ...


class CroppedFace(NamedTuple):
    """A PlainFace."""

    crops: Tensor
    landmarks: Tensor


class CroppedFaces:
    """The faces of samples as the tracker cuts them for a model; a picture is read again each time."""

    def __init__(self, samples: Sequence[Sample], spec: ModelSpec) -> None:
        self.samples = samples
        self.spec = spec
        self.scheme = find_scheme(spec.scheme)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: ItemKey) -> CroppedFace:
        sample = self.samples[key.item]
        cut = cut_for(self.spec, sample.read_image(), [roi_from_points(sample.landmarks, self.spec.crop_scale)])
        landmarks = cut.points_into([sample.landmarks]).astype(np.float32)
        return CroppedFace(torch.from_numpy(cut.crops[0]), torch.from_numpy(landmarks[0]))
