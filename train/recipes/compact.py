"""compact-300w and compact-300w-large: real-time models for the CPU, trained on landmarks.

Stacked hourglasses trained on the 300W training faces at hand and faceless parts of photos: two stacks on 128×128 crops
with 32×32 heatmaps, and the same network on 192×192 crops with 48×48 heatmaps, at 2.25 times the cost, begun with the
weights of the first. The networks of compact_distilled.py are trained in the same way.

Most samples are cut about as the tracker cuts its crops, part of these with their pictures degraded, and a few are
changed far more (CROPS). Mirrored ones keep the bias of 300W's landmarks (train/targets/annotation_bias.py). The errors
of the tracker's crops, standard deviations against the crops that the true landmarks ask for: of a followed face, four
scenarios in motion, 0.7° of turn, 0.008 sides of shift and 1.0 % of scale; by the detector's box on the validation
faces 3.6°, 0.019 sides and 4.7 %, one reading later 0.8°, 0.010 and 2.3 %
(python -m benchmarks.accuracy.crop_errors 300w --faces 1 --scenario walk fast approach speech). The shipped models were
trained so last; docs/training.md has the trials, the models' cards the commands.

Command: startrack train --recipe compact-300w --data 300w --extra helen256 --extra helen_reduced
--backgrounds wider_photos --out runs/compact
Command: startrack train --recipe compact-300w-large, with the same options and --init compact-300w-large-float.onnx
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.face_augment import Augmentation, Mixture
from startrack.train.feed.dataset import FaceDataset
from startrack.train.feed.two_views import FacesSeenTwice
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.losses.steady import SteadyLoss
from startrack.train.metrics.nme import inter_ocular, nme
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import load_backgrounds
from startrack.train.sets.hard_poses import with_hard_poses_repeated
from startrack.train.sets.sample import Sample
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS
from startrack.train.validation.crop_trust import Photos, perturbed


@dataclass(frozen=True)
class CompactSize:
    """What of the network the rest of a specification does not say."""

    stacks: int = 2
    inner: float = 1.0
    """Channels inside a block over those that come out of it."""


TWO_STACKS = CompactSize()


def compact_spec(name: str, input_size: int = 128, size: CompactSize = TWO_STACKS) -> ModelSpec:
    """How a compact network is used, and which it is."""
    return ModelSpec(
        name=name,
        scheme=IBUG_68.name,
        num_landmarks=IBUG_68.num_landmarks,
        input_size=input_size,
        heatmap_size=input_size // 4,
        crop_scale=1.25,
        network=network_spec("compact_hourglass", size),
    )


COMPACT_SPEC = compact_spec("compact-300w")
LARGE_SPEC = compact_spec("compact-300w-large", 192)
SMALL_SPEC = compact_spec("compact-300w-small", size=CompactSize(stacks=1))
SLIM_SPEC = compact_spec("compact-300w-slim", size=CompactSize(inner=0.5))
COMPACT_SPECS = {spec.name: spec for spec in (COMPACT_SPEC, LARGE_SPEC, SMALL_SPEC, SLIM_SPEC)}
STRONG = Augmentation()
"""Turned, moved and scaled far more than any crop of a tracker, covered, blurred, dark."""
DEGRADED = replace(STRONG, rotation_deg=2.5, log_scale=0.03, shift=0.015, log_aspect=0, shear=0, upright=0.7)
"""Crops between those of a followed face and those by a detector's box, of degraded pictures."""
AS_CUT = replace(DEGRADED, occlusion=0, blur=0, low_resolution=0, gamma=0, colour=0, noise=0, grey=0, compression=0)
"""Such crops of pictures as they are."""
CROPS = Mixture(((0.55, AS_CUT), (0.3, DEGRADED), (0.15, STRONG)))
"""Of a landmark training."""


def one_cycle(progress: float, *, peak: float = 1.5e-3, warm_up: float = 0.03, last: float = 1e-3) -> float:
    """Learning rate: linear rise to the peak, then a cosine down to `last` of it."""
    if progress < warm_up:
        return peak * max(progress / warm_up, 0.02)
    decay_progress = (progress - warm_up) / (1 - warm_up)
    return peak * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * decay_progress)))


def adamw(model: nn.Module, *, weight_decay: float = 0.02) -> Optimizer:
    """AdamW that decays the kernels only, not biases and norms."""
    kernels = [value for value in model.parameters() if value.ndim > 1]
    rest = [value for value in model.parameters() if value.ndim <= 1]
    return torch.optim.AdamW([{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}])


def compact_network(spec: ModelSpec) -> tuple[CompactHourglass, SoftmaxLandmarks]:
    """The network, and the same with its decoding."""
    size = arguments_of(spec, CompactSize)
    network = CompactHourglass(spec.num_landmarks, stacks=size.stacks, inner=size.inner, mean=spec.mean, std=spec.std)
    return network, SoftmaxLandmarks(network, spec)


@dataclass(frozen=True, slots=True)
class Faces:
    """Where the labelled faces of a training come from."""

    data: Path
    """The published 300W folders."""
    extra: Sequence[Path] = ()
    """Folders of further faces (train/sets/ibug_300w.py, load_extra)."""
    extra_weight: float = 1.0
    """Of each of those in the loss."""
    backgrounds: Path | None = None
    """Photos with their faces.json (train/sets/backgrounds.py), for crops without a face."""

    def load(self) -> list[Sample]:
        """The training faces, turned heads repeated. Raises DatasetError where a folder is not as published."""
        faces = ibug_300w.load(self.data, "train") + ibug_300w.load_extra(self.extra, weight=self.extra_weight)
        return with_hard_poses_repeated(faces)

    def as_cropped(self, spec: ModelSpec, seed: int) -> FaceDataset:
        """The data of a training."""
        return FaceDataset(
            self.load(),
            spec,
            augmentation=CROPS,
            backgrounds=load_backgrounds(self.backgrounds) if self.backgrounds else (),
            annotation_bias=IBUG_300W_BIAS,
            seed=seed,
        )


def compact_validation(data: Path, spec: ModelSpec) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate on the faces held back: NME in per cent from the true box, and from a perturbed one two steps
    on (train/validation/crop_trust.py). data: the published 300W folders."""
    photos = Photos.of(ibug_300w.load(data, "validation"), spec)
    unit_N = inter_ocular(photos.landmarks, IBUG_68)

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        runnable = SoftmaxLandmarks(network, spec).eval()

        def read(crops: ImageArray) -> FloatArray:
            return runnable(torch.from_numpy(crops).to(device)).points.cpu().numpy()  # type: ignore[no-any-return]

        def nme_percent(points_NK2: FloatArray) -> float:
            return 100 * float(nme(points_NK2, photos.landmarks, unit_N).mean())

        off = perturbed(photos.true_rois, np.random.default_rng(0))
        return {
            "validation_nme": nme_percent(photos.read(read, photos.true_rois)),
            "validation_nme_two_steps_on": nme_percent(photos.follow(read, off, 3)[-1]),
        }

    return validate


def labelled_recipe(spec: ModelSpec, faces: Faces, *, epochs: int, seed: int, peak: float = 6e-4) -> Recipe:
    """A training on true landmarks. peak: learning rate, lower for a network that is trained already."""
    torch.manual_seed(seed)
    return Recipe(
        name=spec.name,
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=faces.as_cropped(spec, seed),
        validate=compact_validation(faces.data, spec),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=peak),
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )


def compact_300w(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    backgrounds: Path | None = None,
    epochs: int = 150,
    seed: int = 0,
) -> Recipe:
    """The fields of Faces. Raises DatasetError if a folder is not as published."""
    faces = Faces(data, extra, extra_weight, backgrounds)
    return labelled_recipe(COMPACT_SPEC, faces, epochs=epochs, seed=seed, peak=1.5e-3)


def compact_300w_large(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    backgrounds: Path | None = None,
    epochs: int = 40,
    seed: int = 0,
) -> Recipe:
    """As compact_300w, to be begun with trained weights: at a lower rate."""
    return labelled_recipe(LARGE_SPEC, Faces(data, extra, extra_weight, backgrounds), epochs=epochs, seed=seed)


def steady(recipe: Recipe, seed: int) -> Recipe:
    """A training whose network sees each face twice, as two frames of a video show it, and whose two readings must
    agree: they tremble a quarter to a third less, at the same accuracy. A step takes half as many faces, and as many
    crops. Raises ValueError for a recipe that is no heatmap regression of labelled faces."""
    loss, faces = recipe.loss, recipe.train_data
    if not (isinstance(loss, GaussianHeatmapLoss) and isinstance(faces, FaceDataset)):
        raise ValueError(f"the recipe {recipe.name} has a loss of its own; expected one of labelled faces and heatmaps")
    return replace(
        recipe,
        loss=SteadyLoss(loss.stride),
        train_data=FacesSeenTwice(faces, seed),
        batch_size=max(recipe.batch_size // 2, 1),
    )
