"""Held-back faces as a calibration needs them: as they are, and changed until they are hard."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.crop import cut_crop, transform_points
from startrack.tracker.cut import in_colour_order
from startrack.train.augment.face_augment import Augmentation, change_texture, random_affine
from startrack.train.evaluation.evaluate import crop_roi
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.validation.calibration import Errors

PLAIN = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""As they are."""
HARD = Augmentation(flip=0.0, occlusion=1.0)
"""Changed as in training, and every one of them hidden in part. How hard they are matters little: weaker and stronger
changes lead to shares that differ by 1 to 2 %."""
BATCH = 32


def read_errors(engine: Engine, samples: Sequence[Sample], changes: Augmentation, *, seed: int = 0) -> Errors:
    """What an engine gets wrong on crops around the true landmarks, N faces, in crop pixels.

    Raises DatasetError for no face, a landmark without a place or another number of landmarks than the model's;
    EngineError comes from the engine.
    """
    spec = engine.spec
    if not samples:
        raise DatasetError(f"{spec.name}: no face to calibrate on")
    rng = np.random.default_rng(seed)
    errors, covariances = [], []
    for start in range(0, len(samples), BATCH):
        crops, truth = [], []
        for sample in samples[start : start + BATCH]:
            if np.shape(sample.landmarks) != (spec.num_landmarks, 2) or not np.isfinite(sample.landmarks).all():
                raise DatasetError(f"{sample.path}: expected {spec.num_landmarks} landmarks, each with a place")
            affine, _ = random_affine(crop_roi(sample, spec, "landmarks"), spec.input_size, changes, rng)
            crop = change_texture(cut_crop(sample.read_image(), affine, spec.input_size), changes, rng)
            crops.append(in_colour_order(spec, crop))
            truth.append(transform_points(affine, sample.landmarks))
        batch = engine(np.stack(crops))
        errors.append(np.stack(truth) - batch.points)
        covariances.append(np.asarray(batch.covariance, np.float64))
    return Errors(np.concatenate(errors), np.concatenate(covariances))
