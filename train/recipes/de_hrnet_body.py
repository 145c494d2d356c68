"""dehrnet-coco, -mpii and -300w: HRNet with detail enhancement and DySample (Liu et al., PLoS ONE 2025).

W32 for bodies: COCO 384×288 (height × width, the middle columns of a 384×384 crop) with Gaussians of 3 cells, MPII
256×256 with 2; Adam from 1e-3, a tenth after 170 and 200 of 210 epochs, batches of 32; COCO turned by sigma 45°. W18
for faces, which the paper does not have: as train/recipes/hrnet.py trains it.

Command: startrack train --recipe dehrnet-coco --data coco --out runs/dehrnet (-coco-small: for a CPU)

Expected, of the paper and not measured here: COCO test-dev2017 AP 75.6 (0.7 over HRNet-W32), MPII valid PCKh@0.5 90.7
(0.4 over it).

[INF] Questions of the network that the paper's text would settle are in train.models.de_hrnet.DeHrnetChoices. Of the
training: a summary says "scale ±32 %", HRNet's 0.35 is taken; "rotation ±45°" is HRNet's sigma of 45, cut at 90.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import COCO_17, IBUG_68, MPII_16
from startrack.train.models.de_hrnet import DeHRNet
from startrack.train.models.peak_head import CropInput, PeakLandmarks
from startrack.train.recipes.hrnet import (
    BODY_EPOCHS,
    COCO_BODY,
    COCO_VARIATION,
    FACE,
    FACE_EPOCHS,
    MPII_BODY,
    MPII_VARIATION,
    SMALL_COCO_BODY,
    HrnetSize,
    Training,
    body_recipe,
    face_recipe,
    hrnet_spec,
    seen_width,
)
from startrack.train.recipes.network_arguments import arguments_of
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.body import coco_body, mpii
from startrack.train.weights.published_weights import load_published

_spec = functools.partial(hrnet_spec, architecture="de_hrnet")
DE_HRNET_SPECS = {
    "dehrnet-coco": _spec("dehrnet-coco", COCO_17, COCO_BODY, input_size=384),
    "dehrnet-coco-small": _spec("dehrnet-coco-small", COCO_17, SMALL_COCO_BODY, input_size=128),
    "dehrnet-mpii": _spec("dehrnet-mpii", MPII_16, MPII_BODY),
    "dehrnet-300w": _spec("dehrnet-300w", IBUG_68, FACE),
}


def de_hrnet_network(spec: ModelSpec) -> tuple[CropInput, PeakLandmarks]:
    """The network, and the same with its decoding."""
    size = arguments_of(spec, HrnetSize)
    de_hrnet = DeHRNet(
        spec.num_landmarks,
        width=size.width,
        modules=size.modules,
        blocks=size.blocks,
        all_branches=size.all_branches,
    )
    network = CropInput(de_hrnet, spec, width=seen_width(spec))
    return network, PeakLandmarks(network, spec)


def dehrnet_coco(data: Path, *, pretrained: Path | None = None, epochs: int = BODY_EPOCHS, seed: int = 0) -> Recipe:
    """data: COCO's folders (train/sets/body/coco_body.py). pretrained: a .pth file published with HRNet."""
    bodies = coco_body.load(data, "train"), coco_body.load(data, "val")
    return body_recipe(_training("dehrnet-coco", pretrained, epochs, seed, 3.0), bodies, COCO_VARIATION)


def dehrnet_coco_small(data: Path, *, epochs: int = 40, seed: int = 0) -> Recipe:
    """The same for a CPU: 128×96, W16 with few modules and blocks."""
    bodies = coco_body.load(data, "train"), coco_body.load(data, "val")
    return body_recipe(_training("dehrnet-coco-small", None, epochs, seed, 2.0), bodies, COCO_VARIATION)


def dehrnet_mpii(data: Path, *, pretrained: Path | None = None, epochs: int = BODY_EPOCHS, seed: int = 0) -> Recipe:
    """data: MPII's folders (train/sets/body/mpii.py)."""
    bodies = mpii.load(data, "train"), mpii.load(data, "valid")
    return body_recipe(_training("dehrnet-mpii", pretrained, epochs, seed, 2.0), bodies, MPII_VARIATION)


def dehrnet_300w(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    pretrained: Path | None = None,
    epochs: int = FACE_EPOCHS,
    seed: int = 0,
) -> Recipe:
    """data: the published 300W folders. extra, extra_weight: see ibug_300w.load_train_validation."""
    faces = ibug_300w.load_train_validation(data, extra, extra_weight=extra_weight)
    training = _training("dehrnet-300w", pretrained, epochs, seed, 1.5)
    return face_recipe(replace(training, rate=1e-4), faces)


def _training(name: str, pretrained: Path | None, epochs: int, seed: int, sigma: float) -> Training:
    torch.manual_seed(seed)
    spec = DE_HRNET_SPECS[name]
    network = de_hrnet_network(spec)[0]
    if pretrained is not None:
        load_published(network.network, pretrained)
    return Training(spec, network, epochs, seed, sigma)
