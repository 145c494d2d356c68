"""The figure that a landmark training is watched by: NME on held-back faces."""

# N faces, K landmarks, S side of the crop

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engines.base import ModelSpec
from tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from tracker.schemes import LandmarkScheme, find_scheme
from tracker.types import FloatArray
from train.data.dataset import ItemKey
from train.data.sample import Sample
from train.metrics.nme import inter_ocular, nme

BATCH = 32


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
    """The faces of samples as the tracker cuts them for a model; a picture is read anew each time."""

    def __init__(self, samples: Sequence[Sample], spec: ModelSpec) -> None:
        self.samples = samples
        self.spec = spec
        self.scheme = find_scheme(spec.scheme)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: ItemKey) -> CroppedFace:
        sample, size = self.samples[key.item], self.spec.input_size
        affine = crop_affine(roi_from_points(sample.landmarks, self.spec.crop_scale), size)
        crop = cut_crop(sample.read_image(), affine, size)
        ordered = crop if self.spec.colour_order == "rgb" else np.ascontiguousarray(crop[..., ::-1])
        landmarks = transform_points(affine, sample.landmarks)
        return CroppedFace(torch.from_numpy(ordered), torch.from_numpy(landmarks.astype(np.float32)))


def landmark_validation(
    faces: PlainFaces,
    deployed: Callable[[nn.Module], nn.Module],
    *,
    normaliser: Callable[[FloatArray, LandmarkScheme], FloatArray] = inter_ocular,
    figure: str = "validation_nme",
) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate: NME in per cent over all faces, one plain crop each.

    faces: without augmentation. deployed: network → crops to points (B, K, 2), e.g. SoftmaxLandmarks.
    """

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        runnable = deployed(network).eval()
        points, truth = [], []
        for start in range(0, len(faces), BATCH):
            items = [faces[ItemKey(0, index)] for index in range(start, min(start + BATCH, len(faces)))]
            points.append(runnable(torch.stack([item.crops for item in items]).to(device)).points.cpu().numpy())
            truth.append(torch.stack([item.landmarks for item in items]).numpy())
        truth_NK2 = np.concatenate(truth)
        errors_N = nme(np.concatenate(points), truth_NK2, normaliser(truth_NK2, faces.scheme))
        return {figure: 100 * float(errors_N.mean())}

    return validate
