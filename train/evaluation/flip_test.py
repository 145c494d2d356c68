"""The flip test: what an engine says of a crop and of its mirror image, as one answer."""

# B faces, K landmarks, S side of the crop

from __future__ import annotations

from dataclasses import replace

import numpy as np

from startrack.engines.base import CropArray, Engine, LandmarkBatch
from startrack.tracker.schemes import LandmarkScheme
from startrack.train.models.mixture import moments_of_mixture


def run_with_flip(engine: Engine, crops_BSS3: CropArray, scheme: LandmarkScheme) -> LandmarkBatch:
    """The mean of both answers. Raises EngineError as the engine does."""
    mirrored = engine(np.ascontiguousarray(crops_BSS3[:, :, ::-1]))
    return merge(engine(crops_BSS3), mirror_back(mirrored, scheme, crops_BSS3.shape[2]))


def mirror_back(batch: LandmarkBatch, scheme: LandmarkScheme, size: int) -> LandmarkBatch:
    """Landmarks of mirrored crops of S = size → those of the crops themselves; its own inverse."""
    order, mirror = scheme.flip_order, np.array([-1.0, 1.0], np.float32)
    return replace(
        batch,
        points=batch.points[:, order] * mirror + np.array([size - 1, 0], np.float32),
        covariance=batch.covariance[:, order] * np.outer(mirror, mirror),
        score=batch.score[:, order],
        heatmaps=None if batch.heatmaps is None else batch.heatmaps[:, order, :, ::-1],
    )


def merge(first: LandmarkBatch, second: LandmarkBatch) -> LandmarkBatch:
    """Two answers of equal weight as one; their covariance grows where they disagree."""
    points, covariance = moments_of_mixture(
        np.stack([first.points, second.points]), np.stack([first.covariance, second.covariance])
    )
    return LandmarkBatch(
        points=points,
        covariance=covariance,
        score=np.float32(0.5) * (first.score + second.score),
        presence=np.float32(0.5) * (first.presence + second.presence),
    )
