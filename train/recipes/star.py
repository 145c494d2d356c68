"""star-300w and star-300w-small: STAR loss on stacked hourglasses, as its code trains them (Zhou et al., CVPR 2023).

Four stacked hourglasses with edge and point attention (ADNet) on 256×256 crops; STAR loss on the heatmaps, Adaptive
Wing on point and edge maps, all four stacks. Adam at 1e-3 without weight decay, a tenth after 200, 350 and 450 of 500
epochs, batches of 128, an average with a half-life of 10,000 faces from the first step on.

Command: startrack train --recipe star-300w --data 300w --out runs/star --device cuda (docs/training.md has others)

Expected, of the paper, inter-ocular NME in per cent: common 2.52, challenging 4.32, full 2.87. These are not measured
here, and replace 3148 training faces; and the STAR code keeps the best of all epochs on the test set, of the network
and of its average, where this recipe keeps the last average and holds one training photo in ten back.

[DIFF] Code, as here, against paper: batches of 128, not 16; four halvings in an hourglass, not three; turn, scale and
shift are normal, not even; gamma and noise come on top; no gradient is cut off in the loss. [DIFF] Against the code:
the crop is the tracker's, 1.25 times the larger side of the landmarks' box (train/feed/star_dataset.py), random
numbers are another generator's, and weight decay and a last decay at epoch 500, without effect there, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme, find_scheme
from startrack.train.feed.star_faces import StarFaces
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.metrics.nme import NORMALISERS, NormaliserName
from startrack.train.models.landmark_head import StarLandmarks
from startrack.train.models.star_hourglass import CroppedStarHourglass
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.validation.landmark_validation import landmark_validation
from startrack.train.weights.ema import half_life_decay

MILESTONES = (200, 350, 450)
EPOCHS = 500


@dataclass(frozen=True)
class StarSize:
    """What of the network the rest of a specification does not say."""

    stacks: int = 4
    channels: int = 256
    stem_channels: int = 64
    levels: int = 4


OFFICIAL = StarSize()
SMALL = StarSize(stacks=2, channels=64, stem_channels=32, levels=3)


def star_spec(name: str, scheme: LandmarkScheme, *, input_size: int = 256, size: StarSize = OFFICIAL) -> ModelSpec:
    """How a STAR network is used, and which it is."""
    return ModelSpec(
        name=name,
        scheme=scheme.name,
        num_landmarks=scheme.num_landmarks,
        input_size=input_size,
        heatmap_size=input_size // 4,
        crop_scale=1.25,
        colour_order="bgr",
        decoder="stretched_soft_argmax",
        presence=False,
        network=network_spec("star_hourglass", size),
    )


STAR_SPECS = {
    "star-300w": star_spec("star-300w", IBUG_68),
    "star-wflw": star_spec("star-wflw", WFLW_98),
    "star-cofw": star_spec("star-cofw", COFW_29),
    "star-300w-small": star_spec("star-300w-small", IBUG_68, input_size=128, size=SMALL),
}


def milestones(progress: float, *, rate: float = 1e-3) -> float:
    """Learning rate: a tenth after each milestone; a training of fewer epochs has them at the same shares of it."""
    return rate * 0.1 ** sum(progress >= epoch / EPOCHS for epoch in MILESTONES)


def official_adam(model: nn.Module) -> Optimizer:
    """[DIFF] The STAR code's settings have a weight decay of 1e-5 that never reaches the optimiser."""
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def star_network(spec: ModelSpec) -> tuple[CroppedStarHourglass, StarLandmarks]:
    """The network, and the same with its decoding."""
    size = arguments_of(spec, StarSize)
    network = CroppedStarHourglass(
        spec.num_landmarks,
        [edge.indices for edge in find_scheme(spec.scheme).edges],
        stacks=size.stacks,
        channels=size.channels,
        stem_channels=size.stem_channels,
        levels=size.levels,
        input_size=spec.input_size,
    )
    return network, StarLandmarks(network, spec)


def star_recipe(
    spec: ModelSpec,
    faces: StarFaces,
    *,
    epochs: int,
    seed: int,
    batch_size: int = 128,
    normaliser: NormaliserName = "inter_ocular",
) -> Recipe:
    """The STAR code's training of a network on faces."""
    torch.manual_seed(seed)
    train_data, prepare = faces.training(spec, seed)
    return Recipe(
        name=spec.name,
        spec=spec,
        model=star_network(spec)[0],
        loss=StackedStarLoss(),
        train_data=train_data,
        prepare=prepare,
        validate=landmark_validation(
            faces.plain(spec),
            lambda network: StarLandmarks(network, spec),
            normaliser=NORMALISERS[normaliser],
            figure=f"{faces.validation_split}_nme",
        ),
        make_optimiser=official_adam,
        learning_rate=milestones,
        epochs=epochs,
        batch_size=batch_size,
        ema_decay=half_life_decay(batch_size),
        ema_warm_up=False,
        clip_gradient=None,
        bfloat16=False,
    )


def star_300w(
    data: Path,
    *,
    validation: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    split: str = "train",
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Recipe:
    """data: the published 300W folders, or a pack of the training faces; then validation is one of the validation
    faces. extra: further faces, folders of pictures with .pts or packs; extra_weight: of each in the loss. Those on
    photos of validation faces are left out.
    split: "trainval" trains on the validation faces too, whose NME then says nothing."""
    faces = _faces(data, split=split, validation=validation, extra=extra, extra_weight=extra_weight)
    return star_recipe(STAR_SPECS["star-300w"], faces, epochs=epochs, seed=seed)


def star_300w_small(
    data: Path,
    *,
    validation: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    split: str = "train",
    epochs: int = 24,
    seed: int = 0,
) -> Recipe:
    """The same for a CPU: 128×128 crops, two narrow stacks, batches of 16, the milestones at the same shares. The
    average warms up: 10,000 faces are five epochs, and the random start would be a part of it until the end."""
    faces = _faces(data, split=split, validation=validation, extra=extra, extra_weight=extra_weight)
    small = star_recipe(STAR_SPECS["star-300w-small"], faces, epochs=epochs, seed=seed, batch_size=16)
    return replace(small, bfloat16=True, ema_warm_up=True)


def _faces(data: Path, **options: Any) -> StarFaces:
    """300W's; options: further fields of StarFaces."""
    return StarFaces(data, ibug_300w.load, leave_out=ibug_300w.is_held_back, **options)
