"""What an engine gets wrong on held-back faces, as they are and made hard."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.cut import in_colour_order
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.validation.calibration import Errors
from startrack.train.validation.hard_crops import Condition, hard_crop

BATCH = 32


def read_errors(engine: Engine, samples: Sequence[Sample], condition: Condition, *, seed: int = 0) -> Errors:
    """What an engine gets wrong on crops around the true landmarks, N faces, in crop pixels.

    Raises DatasetError for no face, a landmark without a place or another number of landmarks than the model's;
    EngineError comes from the engine.
    """
    spec = engine.spec
    if not samples:
        raise DatasetError(f"{spec.name}: no face to calibrate on")
    errors, covariances, hidden = [], [], []
    for start in range(0, len(samples), BATCH):
        part = enumerate(samples[start : start + BATCH], start)
        crops = [hard_crop(sample, spec, condition, samples, 1000 * seed + number) for number, sample in part]
        batch = engine(in_colour_order(spec, np.stack([crop.image for crop in crops])))
        errors.append(np.stack([crop.landmarks for crop in crops]) - batch.points)
        covariances.append(np.asarray(batch.covariance, np.float64))
        hidden += [crop.hidden for crop in crops]
    return Errors(np.concatenate(errors), np.concatenate(covariances), np.stack(hidden))
