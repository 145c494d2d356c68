"""compact-300w and compact-300w-large: real-time models for the CPU, trained on landmarks.

Stacked hourglasses trained on the 300W training faces at hand (1822 of the official 3148; one photo in ten is held back
for validation) and faceless parts of photos: two stacks on 128×128 crops with 32×32 heatmaps, and the same network on
192×192 crops with 48×48 heatmaps, at 2.25 times the cost, begun with the weights of the first.

Command: startrack train --recipe compact-300w --data 300w --backgrounds wider_photos --out runs/compact
Command: startrack train --recipe compact-300w-large --data 300w --backgrounds wider_photos --extra helen_reduced
--init compact-300w-float.onnx --out runs/large
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import IBUG_68
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.dataset import FaceDataset
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import load_backgrounds
from startrack.train.sets.hard_poses import with_hard_poses_repeated
from startrack.train.sets.sample import Sample
from startrack.train.validation.landmark_validation import landmark_validation


def compact_spec(name: str, input_size: int = 128) -> ModelSpec:
    """How a compact network is used."""
    return ModelSpec(
        name=name,
        scheme=IBUG_68.name,
        num_landmarks=IBUG_68.num_landmarks,
        input_size=input_size,
        heatmap_size=input_size // 4,
        crop_scale=1.25,
    )


COMPACT_SPEC = compact_spec("compact-300w")
LARGE_SPEC = compact_spec("compact-300w-large", 192)
SMALL_SPEC = compact_spec("compact-300w-small")
SLIM_SPEC = compact_spec("compact-300w-slim")
COMPACT_SPECS = {spec.name: spec for spec in (COMPACT_SPEC, LARGE_SPEC, SMALL_SPEC, SLIM_SPEC)}
STACKS = {COMPACT_SPEC.name: 2, LARGE_SPEC.name: 2, SMALL_SPEC.name: 1, SLIM_SPEC.name: 2}
INNER = {SLIM_SPEC.name: 0.5}
"""Channels inside a block over those that come out of it, where not alike."""


def one_cycle(progress: float, *, peak: float = 1.5e-3, warm_up: float = 0.03, last: float = 1e-3) -> float:
    """Learning rate: linear rise to the peak, then a cosine down to `last` of it."""
    if progress < warm_up:
        return peak * max(progress / warm_up, 0.02)
    descent = (progress - warm_up) / (1 - warm_up)
    return peak * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * descent)))


def adamw(model: nn.Module, *, weight_decay: float = 0.02) -> Optimizer:
    """AdamW that decays the kernels only, not biases and norms."""
    kernels = [value for value in model.parameters() if value.ndim > 1]
    rest = [value for value in model.parameters() if value.ndim <= 1]
    return torch.optim.AdamW([{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}])


def compact_network(spec: ModelSpec) -> tuple[CompactHourglass, SoftmaxLandmarks]:
    """The network, and the same with its decoding."""
    network = CompactHourglass(
        spec.num_landmarks,
        stacks=STACKS[spec.name],
        inner=INNER.get(spec.name, 1.0),
        mean=spec.mean,
        std=spec.std,
    )
    return network, SoftmaxLandmarks(network, spec)


def faces_as_cropped(
    samples: Sequence[Sample], spec: ModelSpec, *, backgrounds: Path | None = None, seed: int = 0
) -> FaceDataset:
    """Training faces, augmented. backgrounds: photos with their faces.json (train.sets.backgrounds)."""
    return FaceDataset(
        samples,
        spec,
        augmentation=Augmentation(),
        backgrounds=load_backgrounds(backgrounds) if backgrounds else (),
        seed=seed,
    )


def compact_validation(data: Path, spec: ModelSpec) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate on the faces held back. data: the published 300W folders."""
    faces = FaceDataset(
        ibug_300w.load(data, "validation"),
        spec,
        augmentation=None,
    )
    return landmark_validation(faces, lambda network: SoftmaxLandmarks(network, spec))


def compact_300w(data: Path, *, backgrounds: Path | None = None, epochs: int = 150, seed: int = 0) -> Recipe:
    """data: the published 300W folders. backgrounds: photos with their faces.json (train.sets.backgrounds)."""
    torch.manual_seed(seed)
    spec = COMPACT_SPEC
    return Recipe(
        name=spec.name,
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=faces_as_cropped(ibug_300w.load(data, "train"), spec, backgrounds=backgrounds, seed=seed),
        validate=compact_validation(data, spec),
        make_optimiser=adamw,
        learning_rate=one_cycle,
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )


def compact_300w_large(
    data: Path, *, backgrounds: Path | None = None, extra: Path | None = None, epochs: int = 40, seed: int = 0
) -> Recipe:
    """As compact_300w, to be begun with its weights: a lower rate, turned heads repeated.

    extra: a folder of further faces, less certain (ibug_300w.load_reduced).
    """
    torch.manual_seed(seed)
    spec = LARGE_SPEC
    faces = with_hard_poses_repeated(ibug_300w.load(data, "train"))
    faces += ibug_300w.load_reduced(extra) if extra else []
    return Recipe(
        name=spec.name,
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=faces_as_cropped(faces, spec, backgrounds=backgrounds, seed=seed),
        validate=compact_validation(data, spec),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=8e-4),
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )
