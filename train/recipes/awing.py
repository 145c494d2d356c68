"""awing-300w, -wflw and -cofw: Adaptive Wing Loss on hourglasses that know the boundary (Wang et al., ICCV 2019).

Four stacked hourglasses of hierarchical blocks with coordinate channels, on 256×256 crops; Adaptive Wing with its
weighted loss map on landmarks and boundary. RMSProp from 1e-4, a tenth after 80 and 160 of 240 epochs, weight decay
1e-5; turn ±50°, shift ±25 pixels, size ±15 %, mirror, blur, noise, occlusion.

Command: startrack train --recipe awing-300w --data 300w --out runs/awing (-300w-small: for a CPU)

Expected, of the papers and not measured here: 300W inter-ocular NME common 2.72, challenging 4.52, full 3.07 per cent;
WFLW test 4.36; COFW inter-pupil 4.94. A retraining with the community's code reportedly reaches 4.68 on WFLW.

[DIFF] Blobs lie at the landmark's exact place and are decoded by DARK, where the published code puts them on whole
cells and moves the peak by a quarter: with perfect heatmaps 1.5 of 256 pixels are lost there.
The crop is the tracker's, 1.25 times the larger side of the landmarks' box. [INF] Not stated: batches (16), the chances
of blur, noise and occlusion (a quarter each), the weights of stacks and boundary (all 1), shift in crop pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme, find_scheme
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.heatmap_dataset import AwingTargets, EvenVariation, HeatmapDataset
from startrack.train.losses.stacked_maps import StackedAwingLoss
from startrack.train.models.awing_hourglass import AwingHourglass
from startrack.train.models.peak_head import CropInput, PeakLandmarks
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import cofw, ibug_300w, wflw
from startrack.train.sets.hold_back import hold_back
from startrack.train.sets.sample import Sample
from startrack.train.targets.awing_curves import boundary_curves
from startrack.train.validation.landmark_validation import landmark_validation

EPOCHS = 240
MILESTONES = (80, 160)
TEXTURE = Augmentation(
    occlusion=0.25, blur=0.25, noise=0.25, low_resolution=0, gamma=0, colour=0, grey=0, compression=0
)
GEOMETRY = EvenVariation(rotation_deg=50, shift=25 / 256, scale=0.15)


@dataclass(frozen=True)
class AwingSize:
    """What of the network the rest of a specification does not say."""

    stacks: int = 4
    channels: int = 256
    levels: int = 4


OFFICIAL = AwingSize()
SMALL = AwingSize(stacks=2, channels=64, levels=3)


def awing_spec(name: str, scheme: LandmarkScheme, *, input_size: int = 256, size: AwingSize = OFFICIAL) -> ModelSpec:
    """How an Adaptive Wing network is used, and which it is."""
    return ModelSpec(
        name=name,
        scheme=scheme.name,
        num_landmarks=scheme.num_landmarks,
        input_size=input_size,
        heatmap_size=input_size // 4,
        crop_scale=1.25,
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        decoder="dark",
        presence=False,
        network=network_spec("awing_hourglass", size),
    )


AWING_SPECS = {
    "awing-300w": awing_spec("awing-300w", IBUG_68),
    "awing-wflw": awing_spec("awing-wflw", WFLW_98),
    "awing-cofw": awing_spec("awing-cofw", COFW_29),
    "awing-300w-small": awing_spec("awing-300w-small", IBUG_68, input_size=128, size=SMALL),
}


def milestones(progress: float) -> float:
    """Learning rate: a tenth after each milestone; a training of fewer epochs has them at the same shares of it."""
    return 1e-4 * 0.1 ** sum(progress >= epoch / EPOCHS for epoch in MILESTONES)


def small_milestones(progress: float) -> float:
    """Five times the rate: the small network sees a tenth of the steps."""
    return 5 * milestones(progress)


def rmsprop(model: nn.Module) -> Optimizer:
    """[INF] The smoothing of the squares is PyTorch's 0.99."""
    return torch.optim.RMSprop(model.parameters(), lr=1e-4, weight_decay=1e-5)


def awing_network(spec: ModelSpec) -> tuple[CropInput, PeakLandmarks]:
    """The network, and the same with its decoding."""
    size = arguments_of(spec, AwingSize)
    hourglass = AwingHourglass(
        spec.num_landmarks,
        stacks=size.stacks,
        channels=size.channels,
        levels=size.levels,
        input_size=spec.input_size,
    )
    network = CropInput(hourglass, spec)
    return network, PeakLandmarks(network, spec)


def awing_recipe(
    spec: ModelSpec,
    faces: tuple[list[Sample], list[Sample]],
    *,
    epochs: int,
    seed: int,
    learning_rate: Callable[[float], float] = milestones,
) -> Recipe:
    """faces: those to train with, those to watch the training by."""
    torch.manual_seed(seed)
    targets = AwingTargets(spec, boundary_curves(find_scheme(spec.scheme)))
    return Recipe(
        name=spec.name,
        spec=spec,
        model=awing_network(spec)[0],
        loss=StackedAwingLoss(),
        train_data=HeatmapDataset(faces[0], spec, targets=targets, vary=GEOMETRY, texture=TEXTURE, seed=seed),
        validate=landmark_validation(
            HeatmapDataset(faces[1], spec, targets=targets), lambda network: PeakLandmarks(network, spec)
        ),
        make_optimiser=rmsprop,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=16,
        ema_decay=0.999,
        clip_gradient=float("inf"),
        bfloat16=False,
    )


def awing_300w(
    data: Path, *, extra: Sequence[Path] = (), extra_weight: float = 1.0, epochs: int = EPOCHS, seed: int = 0
) -> Recipe:
    """data: the published 300W folders. extra, extra_weight: see ibug_300w.load_train_validation."""
    faces = ibug_300w.load_train_validation(data, extra, extra_weight=extra_weight)
    return awing_recipe(AWING_SPECS["awing-300w"], faces, epochs=epochs, seed=seed)


def awing_300w_small(
    data: Path, *, extra: Sequence[Path] = (), extra_weight: float = 1.0, epochs: int = 40, seed: int = 0
) -> Recipe:
    """The same for a CPU: 128×128 crops, two narrow stacks."""
    faces = ibug_300w.load_train_validation(data, extra, extra_weight=extra_weight)
    spec = AWING_SPECS["awing-300w-small"]
    return awing_recipe(spec, faces, epochs=epochs, seed=seed, learning_rate=small_milestones)


def awing_wflw(data: Path, *, epochs: int = EPOCHS, seed: int = 0) -> Recipe:
    """data: the published WFLW folders."""
    return awing_recipe(AWING_SPECS["awing-wflw"], hold_back(wflw.load(data, "train")), epochs=epochs, seed=seed)


def awing_cofw(data: Path, *, epochs: int = EPOCHS, seed: int = 0) -> Recipe:
    """data: the folder of the published COFW files."""
    return awing_recipe(AWING_SPECS["awing-cofw"], hold_back(cofw.load(data, "train")), epochs=epochs, seed=seed)
