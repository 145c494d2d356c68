"""Landmarks 36 to 47 of a face as an eye model sees them, from crops that a landmark model's points ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.engines.eyes import EyeBatch, EyeEngine
from startrack.tracker.eyes.crop import EYES, cut_eyes, eye_rois
from startrack.tracker.types import FloatArray, ImageArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RefinedEyes:
    """Both eyes of a face, frame pixels."""

    points: Floats
    """(68, 2) the landmarks with 36 to 47 in place of the landmark model's."""
    covariance: Floats
    """(2, 6, 2, 2) of the right and the left eye's lids, px²."""
    iris: Floats
    """(2, 2)."""
    batch: EyeBatch
    """As the engine gives it."""


def refine(engine: EyeEngine, image: ImageArray, points: FloatArray) -> RefinedEyes:
    """points: (68, 2) frame pixels, which say where the crops are cut."""
    cut = cut_eyes(engine.spec, image, eye_rois(engine.spec, points))
    batch = engine(cut.crops)
    refined = np.array(points, np.float64)
    for eye, lids in zip(EYES, cut.lids_back(engine.spec, batch.lids), strict=True):
        refined[list(eye)] = lids
    iris = cut.points_back(batch.iris[:, None])[:, 0]
    return RefinedEyes(refined, cut.covariance_back(batch.lid_covariance), iris, batch)


def fused(points: FloatArray, covariance: FloatArray, eyes: RefinedEyes) -> Floats:
    """(68, 2) the landmarks, 36 to 47 being the mean of both models', each weighed by its covariance. points: (68, 2),
    covariance: (68, 2, 2) of the landmark model, frame pixels."""
    merged = np.array(points, np.float64)
    for side, eye in enumerate(EYES):
        first = np.linalg.inv(np.asarray(covariance, np.float64)[list(eye)])
        second = np.linalg.inv(eyes.covariance[side])
        both = np.asarray(points, np.float64)[list(eye)], eyes.points[list(eye)]
        total = sum(np.einsum("kij,kj->ki", one, place) for one, place in zip((first, second), both, strict=True))
        merged[list(eye)] = np.linalg.solve(first + second, np.asarray(total)[..., None])[..., 0]
    return merged
