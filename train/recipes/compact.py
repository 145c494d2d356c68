"""compact-300w: the shipped real-time model for the CPU.

A two-stack hourglass on 128×128 crops with 32×32 heatmaps, trained on the 300W training faces at hand (1822 of the
official 3148; one photo in ten is held back for validation) and faceless parts of photos.

Command: startrack train --recipe compact-300w --data 300w --backgrounds wider_photos --out runs/compact
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from engines.base import ModelSpec
from tracker.schemes import IBUG_68
from train.data import ibug_300w
from train.data.augment import Augmentation
from train.data.backgrounds import load_backgrounds
from train.data.dataset import FaceDataset
from train.losses.gaussian_heatmap import GaussianHeatmapLoss
from train.models.compact_hourglass import CompactHourglass
from train.models.landmark_head import SoftmaxLandmarks
from train.recipes.recipe import Recipe
from train.validation import landmark_validation

COMPACT_SPEC = ModelSpec(
    name="compact-300w",
    scheme=IBUG_68.name,
    num_landmarks=IBUG_68.num_landmarks,
    input_size=128,
    heatmap_size=32,
    crop_scale=1.25,
)


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
    network = CompactHourglass(spec.num_landmarks, mean=spec.mean, std=spec.std)
    return network, SoftmaxLandmarks(network, spec)


def compact_300w(data: Path, *, backgrounds: Path | None = None, epochs: int = 150, seed: int = 0) -> Recipe:
    """data: the published 300W folders. backgrounds: photos with their faces.json (train.data.backgrounds)."""
    torch.manual_seed(seed)
    spec = COMPACT_SPEC
    train_data = FaceDataset(
        ibug_300w.load(data, "train"),
        IBUG_68,
        crop_size=spec.input_size,
        crop_scale=spec.crop_scale,
        augmentation=Augmentation(),
        backgrounds=load_backgrounds(backgrounds) if backgrounds else (),
        seed=seed,
    )
    validation_data = FaceDataset(
        ibug_300w.load(data, "validation"),
        IBUG_68,
        crop_size=spec.input_size,
        crop_scale=spec.crop_scale,
        augmentation=None,
    )
    return Recipe(
        name=spec.name,
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=train_data,
        validate=landmark_validation(validation_data, lambda network: SoftmaxLandmarks(network, spec)),
        make_optimiser=adamw,
        learning_rate=one_cycle,
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )
