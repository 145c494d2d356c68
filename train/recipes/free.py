"""free-landmarks: the network of the default model, trained on rendered faces alone.

A model that everybody may use for anything: it begins with random weights, has no teacher, and sees no photo. Its data
are folders of `startrack render` (docs/synthetic.md) made without --backgrounds, whose assets are free; crops without a
face come from the faces' surroundings and are drawn (train/augment/faceless.py). Crops are cut as in compact.py, and
most pictures are changed: a photo differs from a render more than from another photo. The landmarks are exact, so that
they have no annotation bias to keep.

Watched, on a tenth of the pictures: the NME in per cent of the eye distance of faces turned less than 45°, and in per
cent of the root of the box's area of all.

Command: startrack train --recipe free-landmarks --data faces --out runs/free
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from startrack.engines.base import ModelSpec
from startrack.train.augment.face_augment import Mixture
from startrack.train.augment.face_pastes import store_faces
from startrack.train.augment.faceless import faceless_pictures
from startrack.train.feed.dataset import FaceDataset
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import AS_CUT, DEGRADED, SLIM_SPEC, STRONG, adamw, compact_network, one_cycle
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import rendered
from startrack.train.sets.hold_back import hold_back
from startrack.train.sets.sample import Sample
from startrack.train.validation.rendered_validation import rendered_validation

LOST = replace(DEGRADED, rotation_deg=12, log_scale=0.15, shift=0.08)
"""Crops that have lost a head which turns fast: the network must find the face, not trust the crop."""
FREE_CROPS = Mixture(((0.25, AS_CUT), (0.3, DEGRADED), (0.25, LOST), (0.2, STRONG)))
FREE_SPEC = replace(SLIM_SPEC, name="free")
FACELESS = 300
"""Pictures that crops without a face are cut from."""
SKINS = 200
"""Faces that those are made from."""


def free_landmarks(data: Path, *, extra: Sequence[Path] = (), epochs: int = 40, seed: int = 0) -> Recipe:
    """data, extra: folders of startrack render. Raises DatasetError for another folder, for faces before photos, and if
    no face turned less than 45° is held back."""
    train, validation = hold_back(_faces([data, *extra]))
    return rendered_recipe(FREE_SPEC, train, validation, epochs=epochs, seed=seed)


def rendered_recipe(
    spec: ModelSpec, train: Sequence[Sample], validation: Sequence[Sample], *, epochs: int, seed: int
) -> Recipe:
    """A training of a compact network of any size on rendered faces. Raises DatasetError if no face of `validation` is
    turned less than 45°."""
    torch.manual_seed(seed)
    skins = store_faces(train[:: max(len(train) // SKINS, 1)][:SKINS])
    return Recipe(
        name="free-landmarks",
        spec=spec,
        model=compact_network(spec)[0],
        loss=GaussianHeatmapLoss(stride=spec.stride),
        train_data=FaceDataset(
            train,
            spec,
            augmentation=FREE_CROPS,
            backgrounds=faceless_pictures(skins, FACELESS, np.random.default_rng((seed, 1))),
            seed=seed,
        ),
        validate=rendered_validation(validation, spec, lambda network: SoftmaxLandmarks(network, spec)),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=1.5e-3),
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )


def _faces(folders: Sequence[Path]) -> list[Sample]:
    for folder in folders:
        rendered.refuse_photos(folder)
    return [sample for folder in folders for sample in rendered.load(folder, "all")]
