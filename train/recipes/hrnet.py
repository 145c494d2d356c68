"""hrnet-300w, -coco and -mpii: heatmap regression on HRNet (Sun et al., CVPR 2019; HRNetV2 for faces).

Faces: W18, 256×256 crops, Gaussians of 1.5 cells, Adam from 1e-4, a tenth after 30 and 50 of 60 epochs, batches of 16.
Bodies: W32, Gaussians of 2 cells, Adam from 1e-3, a tenth after 170 and 200 of 210 epochs, batches of 32; COCO 256×192
(height × width, the middle columns of a 256×256 crop), MPII 256×256.

Command: startrack train --recipe hrnet-300w --data 300w --out runs/hrnet (-300w-small, -coco-small: for a CPU)

Expected, published and not measured here: 300W NME common 2.92, challenging 5.64, full 3.45 per cent (mmpose, from
ImageNet's weights); COCO val2017 AP 74.4 (detector's boxes of person AP 56.4, flip test); MPII valid PCKh@0.5 90.3.

[DIFF] Gaussians lie at the landmark's exact place and are decoded by DARK, which the papers put at 0.3 to 1 AP over
whole cells and quarters; cells and mirrored heatmaps need no shift (train/targets/cells.py). Faces: the crop is the
tracker's, every crop is turned by up to ±30°, not six in ten; the published settings have a sigma of 1 for 300W.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import COCO_17, IBUG_68, MPII_16, LandmarkScheme
from startrack.train.augment.half_body import BodyVariation
from startrack.train.feed.heatmap_dataset import EvenVariation, GaussianTargets, HeatmapDataset
from startrack.train.losses.stacked_maps import StackedMseLoss
from startrack.train.models.hrnet import HRNet
from startrack.train.models.peak_head import CropInput, PeakLandmarks
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.body import coco_body, mpii
from startrack.train.sets.body.bodies import ASPECT, Body, roi_of
from startrack.train.sets.sample import Sample
from startrack.train.validation.body_validation import body_validation
from startrack.train.validation.landmark_validation import landmark_validation
from startrack.train.weights.published_weights import load_published

FACE_EPOCHS, FACE_MILESTONES = 60, (30, 50)
BODY_EPOCHS, BODY_MILESTONES = 210, (170, 200)
BODY_CROP_SCALE = 1.4
"""Crop over landmarks when a video is followed. [INF] A published crop is 1.25 times the person's box, and a box
reaches beyond the outermost landmarks: hair, hands, feet."""
COCO_VARIATION = BodyVariation()
MPII_VARIATION = BodyVariation(scale=0.25, rotation_deg=30, half_body=0)
FACE_VARIATION = EvenVariation(rotation_deg=30, shift=0, scale=0.25)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class HrnetSize:
    """What of the network the rest of a specification does not say."""

    width: int = 32
    modules: tuple[int, ...] = (1, 4, 3)
    blocks: int = 4
    all_branches: bool = True
    """The form for faces (HRNetV2) in place of that for bodies."""
    aspect: float = 1.0
    """Width over height of the middle of the crop that the network sees; HRNet's for COCO are higher than wide."""


FACE = HrnetSize(18)
SMALL_FACE = HrnetSize(18, (1, 1, 1), 2)
COCO_BODY = HrnetSize(32, all_branches=False, aspect=ASPECT)
SMALL_COCO_BODY = HrnetSize(16, (1, 1, 1), 1, all_branches=False, aspect=ASPECT)
MPII_BODY = HrnetSize(32, all_branches=False)


def hrnet_spec(
    name: str, scheme: LandmarkScheme, size: HrnetSize, *, input_size: int = 256, architecture: str = "hrnet"
) -> ModelSpec:
    """How an HRNet is used, and which it is."""
    return ModelSpec(
        name=name,
        scheme=scheme.name,
        num_landmarks=scheme.num_landmarks,
        input_size=input_size,
        heatmap_size=input_size // 4,
        crop_scale=BODY_CROP_SCALE if scheme.is_body else 1.25,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        decoder="dark",
        presence=False,
        network=network_spec(architecture, size),
    )


HRNET_SPECS = {
    "hrnet-300w": hrnet_spec("hrnet-300w", IBUG_68, FACE),
    "hrnet-300w-small": hrnet_spec("hrnet-300w-small", IBUG_68, SMALL_FACE, input_size=128),
    "hrnet-coco": hrnet_spec("hrnet-coco", COCO_17, COCO_BODY),
    "hrnet-coco-w48": hrnet_spec("hrnet-coco-w48", COCO_17, replace(COCO_BODY, width=48)),
    "hrnet-coco-small": hrnet_spec("hrnet-coco-small", COCO_17, SMALL_COCO_BODY, input_size=128),
    "hrnet-mpii": hrnet_spec("hrnet-mpii", MPII_16, MPII_BODY),
}


def seen_width(spec: ModelSpec) -> int:
    """Columns of the crop that the network sees. Raises ValueError if they are more than the crop has."""
    aspect = arguments_of(spec, HrnetSize).aspect
    if aspect > 1:
        raise ValueError(f"aspect {aspect}; expected at most 1")
    return round(spec.input_size * aspect)


def hrnet_network(spec: ModelSpec) -> tuple[CropInput, PeakLandmarks]:
    """The network, and the same with its decoding."""
    size = arguments_of(spec, HrnetSize)
    hrnet = HRNet(
        spec.num_landmarks,
        width=size.width,
        modules=size.modules,
        blocks=size.blocks,
        all_branches=size.all_branches,
    )
    network = CropInput(hrnet, spec, width=seen_width(spec))
    return network, PeakLandmarks(network, spec)


def steps(milestones: tuple[int, ...], epochs: int, rate: float) -> Callable[[float], float]:
    """Learning rate by progress: a tenth after each milestone of so many epochs."""
    return lambda progress: rate * 0.1 ** sum(progress >= epoch / epochs for epoch in milestones)


def adam(model: nn.Module) -> Optimizer:
    """[DIFF] HRNet's settings for bodies have a weight decay that never reaches its optimiser."""
    return torch.optim.Adam(model.parameters(), lr=1e-3)


@dataclass(frozen=True)
class Training:
    """What two recipes of the same data differ in."""

    spec: ModelSpec
    network: CropInput
    epochs: int
    seed: int
    sigma: float
    """Cells."""
    rate: float = 1e-3
    """Learning rate that it begins with."""


def face_recipe(training: Training, faces: tuple[list[Sample], list[Sample]]) -> Recipe:
    """faces: those to train with, those to watch the training by."""
    spec = training.spec
    targets = GaussianTargets(spec, training.sigma)
    dataset = HeatmapDataset(faces[0], spec, targets=targets, vary=FACE_VARIATION, seed=training.seed)
    validation_faces = HeatmapDataset(faces[1], spec, targets=targets)
    return Recipe(
        name=spec.name,
        spec=spec,
        model=training.network,
        loss=StackedMseLoss(),
        train_data=dataset,
        validate=landmark_validation(validation_faces, lambda network: PeakLandmarks(network, spec)),
        make_optimiser=adam,
        learning_rate=steps(FACE_MILESTONES, FACE_EPOCHS, training.rate),
        epochs=training.epochs,
        batch_size=16,
        ema_decay=0.999,
        clip_gradient=math.inf,
        bfloat16=False,
    )


def body_recipe(training: Training, bodies: tuple[list[Body], list[Body]], vary: BodyVariation) -> Recipe:
    """bodies: those to train with, those to watch the training by."""
    spec = training.spec
    dataset = HeatmapDataset(
        [body.sample for body in bodies[0]],
        spec,
        targets=GaussianTargets(spec, training.sigma),
        vary=vary,
        plain_roi=roi_of,
        seed=training.seed,
    )
    return Recipe(
        name=spec.name,
        spec=spec,
        model=training.network,
        loss=StackedMseLoss(),
        train_data=dataset,
        validate=body_validation(bodies[1], spec, lambda network: PeakLandmarks(network, spec)),
        make_optimiser=adam,
        learning_rate=steps(BODY_MILESTONES, BODY_EPOCHS, training.rate),
        epochs=training.epochs,
        batch_size=32,
        ema_decay=0.999,
        clip_gradient=math.inf,
        bfloat16=False,
    )


def hrnet_300w(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    pretrained: Path | None = None,
    epochs: int = FACE_EPOCHS,
    seed: int = 0,
) -> Recipe:
    """data: the published 300W folders. extra, extra_weight: see ibug_300w.load_train_validation. pretrained: a .pth
    file published with HRNet, e.g. ImageNet's."""
    training = _training("hrnet-300w", pretrained, epochs, seed, 1.5)
    faces = ibug_300w.load_train_validation(data, extra, extra_weight=extra_weight)
    return face_recipe(replace(training, rate=1e-4), faces)


def hrnet_300w_small(
    data: Path, *, extra: Sequence[Path] = (), extra_weight: float = 1.0, epochs: int = 40, seed: int = 0
) -> Recipe:
    """The same for a CPU: 128×128 crops, fewer modules and blocks, ten times the rate."""
    faces = ibug_300w.load_train_validation(data, extra, extra_weight=extra_weight)
    return face_recipe(_training("hrnet-300w-small", None, epochs, seed, 1.5), faces)


def hrnet_coco(data: Path, *, pretrained: Path | None = None, epochs: int = BODY_EPOCHS, seed: int = 0) -> Recipe:
    """data: COCO's folders (train/sets/body/coco_body.py)."""
    return _coco("hrnet-coco", data, pretrained, epochs, seed)


def hrnet_coco_w48(data: Path, *, pretrained: Path | None = None, epochs: int = BODY_EPOCHS, seed: int = 0) -> Recipe:
    """The same with W48."""
    return _coco("hrnet-coco-w48", data, pretrained, epochs, seed)


def hrnet_coco_small(data: Path, *, epochs: int = 40, seed: int = 0) -> Recipe:
    """The same for a CPU: 128×96, W16 with few modules and blocks."""
    return _coco("hrnet-coco-small", data, None, epochs, seed)


def hrnet_mpii(data: Path, *, pretrained: Path | None = None, epochs: int = BODY_EPOCHS, seed: int = 0) -> Recipe:
    """data: MPII's folders (train/sets/body/mpii.py)."""
    bodies = mpii.load(data, "train"), mpii.load(data, "valid")
    return body_recipe(_training("hrnet-mpii", pretrained, epochs, seed, 2.0), bodies, MPII_VARIATION)


def _coco(name: str, data: Path, pretrained: Path | None, epochs: int, seed: int) -> Recipe:
    bodies = coco_body.load(data, "train"), coco_body.load(data, "val")
    return body_recipe(_training(name, pretrained, epochs, seed, 2.0), bodies, COCO_VARIATION)


def _training(name: str, pretrained: Path | None, epochs: int, seed: int, sigma: float) -> Training:
    torch.manual_seed(seed)
    spec = HRNET_SPECS[name]
    network = hrnet_network(spec)[0]
    if pretrained is not None:
        load_published(network.network, pretrained)
    return Training(spec, network, epochs, seed, sigma)
