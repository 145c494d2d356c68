"""The lids among a face's landmarks, and those that the eyes' network reads from a closer look: one from both."""

# N faces, K landmarks, E = 12 lid landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, Landmarks

Float64Array = NDArray[np.float64]
LEAST_VARIANCE = 1e-6
"""Of a landmark, px²: two certainties could not be weighed."""


def refined(landmarks: Landmarks, lids: Sequence[int], points_E2: FloatArray, covariance_E22: FloatArray) -> Landmarks:
    """The landmarks with the lids of both readings, each weighed by the other's covariance.

    lids: which landmarks they are. points_E2, covariance_E22: the eyes' network's, frame pixels and px². A landmark's
    new covariance is that of two independent readings.
    """
    mine = list(lids)
    points, covariance = (np.array(value, np.float64) for value in (landmarks.points, landmarks.covariance))
    points[mine], covariance[mine] = fused(points[mine], covariance[mine], points_E2, covariance_E22)
    return replace(landmarks, points=points, covariance=covariance)


def fused(
    first_E2: FloatArray, first_E22: FloatArray, second_E2: FloatArray, second_E22: FloatArray
) -> tuple[Float64Array, Float64Array]:
    """The most probable points of two independent readings with a normal spread, and their covariance:
    x = x₁ + G (x₂ − x₁), Σ = Σ₁ − G Σ₁ with G = Σ₁ (Σ₁ + Σ₂)⁻¹."""
    least = LEAST_VARIANCE * np.eye(2)
    one, other = np.asarray(first_E22, np.float64) + least, np.asarray(second_E22, np.float64) + least
    gain = np.linalg.solve(one + other, one).transpose(0, 2, 1)
    first = np.asarray(first_E2, np.float64)
    points = first + (gain @ (np.asarray(second_E2, np.float64) - first)[..., None])[..., 0]
    covariance = one - gain @ one
    return points, (covariance + covariance.transpose(0, 2, 1)) / 2
