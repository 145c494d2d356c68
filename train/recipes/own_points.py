"""own-points: a user's own landmarks, any number of them, trained on a CPU.

The network of the shipped default model (compact-300w-slim) on 128×128 crops. A training begins with what that model
has learned of faces where --init names its float file, engines/zoo/compact-300w-slim-float.onnx.

Pictures are mirrored where flip pairs are known: from the names of COCO keypoints, from the markup where .pts files
have 68, 98 or 29 landmarks, or from --flip-pairs. A landmark without a place counts nothing. Without --backgrounds the
crops that show no face are drawn patterns and edges of faces.

Crops are 1.5 times the larger side of the landmarks' box. Every fourth sample is cut far off in size and place, as the
first crop by a detector's box is, which need not be the box of these landmarks.

Command: startrack train --recipe own-points --data mine --init engines/zoo/compact-300w-slim-float.onnx --out runs/mine

Watched: the NME in per cent of the root of the area of the landmarks' box. No figure to expect: it depends on the
landmarks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from startrack.engines.base import ModelSpec
from startrack.train.augment.face_augment import Augmentation, Mixture
from startrack.train.augment.textures import drawn_pattern
from startrack.train.feed.cropped_faces import CroppedFaces
from startrack.train.feed.dataset import FaceDataset
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.metrics.nme import box_side
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import CompactSize, adamw, compact_network, one_cycle
from startrack.train.recipes.network_arguments import network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import points_folder
from startrack.train.sets.backgrounds import Background, load_backgrounds
from startrack.train.sets.own.own_points import read_own_points
from startrack.train.validation.landmark_validation import landmark_validation

BATCH = 16
STEPS = 1500
"""Steps of a training unless --epochs says otherwise: about 15 minutes on two cores."""
FOLLOWED = replace(Augmentation(), rotation_deg=4.0, log_scale=0.05, shift=0.02, log_aspect=0.0, shear=0.0)
FIRST = replace(Augmentation(), log_scale=0.25, shift=0.1)
CROPS = Mixture(((0.25, FOLLOWED), (0.25, FIRST), (0.5, Augmentation())))
PATTERNS = 64
"""Drawn pictures without a face, for a training without --backgrounds."""


def own_points_spec(num_landmarks: int, scheme: str) -> ModelSpec:
    """How such a model is used."""
    return ModelSpec(
        name="own-points",
        scheme=scheme,
        num_landmarks=num_landmarks,
        input_size=128,
        heatmap_size=32,
        crop_scale=1.5,
        network=network_spec("compact_hourglass", CompactSize(inner=0.5)),
    )


def own_points(
    data: Path,
    *,
    dataset: str | None = None,
    flip_pairs: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    backgrounds: Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> Recipe:
    """A user's own landmarks, any number of them, on a CPU.

    data, dataset, flip_pairs: see read_own_points. extra: folders of further pictures with .pts;
    extra_weight: of each of those in the loss. epochs: None for about STEPS steps. Raises DatasetError.
    """
    faces = read_own_points(data, dataset, flip_pairs)
    spec = own_points_spec(faces.scheme.num_landmarks, faces.scheme.name)
    further = [
        replace(sample, weight=extra_weight)
        for folder in extra
        for sample in points_folder.load_all(folder, spec.num_landmarks)
    ]
    torch.manual_seed(seed)
    train_data = FaceDataset(
        faces.train + further,
        spec,
        augmentation=CROPS,
        backgrounds=load_backgrounds(backgrounds) if backgrounds else _patterns(seed),
        scheme=faces.scheme,
        partly=True,
        seed=seed,
    )
    return Recipe(
        name=spec.name,
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=train_data,
        validate=landmark_validation(
            CroppedFaces(faces.validation, spec), lambda network: SoftmaxLandmarks(network, spec), normaliser=box_side
        ),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=1e-3),
        epochs=epochs or math.ceil(STEPS * BATCH / len(train_data)),
        batch_size=BATCH,
        ema_decay=0.995,
    )


def _patterns(seed: int) -> list[Background]:
    rng = np.random.default_rng((seed, 1))
    return [Background(drawn_pattern(160, rng), np.zeros((0, 4))) for _ in range(PATTERNS)]
