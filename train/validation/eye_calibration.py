"""Spreads of an eye model made honest: one factor for each point's covariance, one for the gaze."""

# N eyes

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import nn

from startrack.train.models.eye_net import POINTS, SPREAD
from startrack.train.validation.eye_validation import EyeErrors, Floats

LEVELS = (0.5, 0.9)
"""Shares of the truths that the ellipses are to hold."""
RADII = tuple(-2 * math.log(1 - level) for level in LEVELS)
"""Squared Mahalanobis distances that hold so much of a normal distribution in two axes."""


def log_factors(errors: Sequence[EyeErrors]) -> tuple[Floats, float]:
    """(7,) and one logarithm of factors for the standard deviations, so that the ellipses hold the
    shares of LEVELS, in the geometric mean of both: of the points, and of the gaze."""
    squared = np.concatenate([one.squared for one in errors])
    points = np.array([_log_factor(squared[:, point]) for point in range(POINTS)])
    return points, _log_factor(np.concatenate([one.gaze_squared for one in errors]))


def calibrate(network: nn.Module, errors: Sequence[EyeErrors]) -> None:
    """Change an EyeNet by the factors of its own errors."""
    points, gaze = log_factors(errors)
    offset = network.get_buffer("offset")
    for row in (0, POINTS):
        offset[row : row + POINTS] += offset.new_tensor(points)
    offset[SPREAD] += gaze


def coverage(squared: Floats) -> dict[str, float]:
    """Level, in per cent → the share of the truths within, in per cent."""
    known = squared[np.isfinite(squared)]
    return {
        f"{level:.0%}": 100 * float((known <= radius).mean()) if len(known) else math.nan
        for level, radius in zip(LEVELS, RADII, strict=True)
    }


def _log_factor(squared: Floats) -> float:
    """Of standard deviations, from squared distances in units of the stated ones."""
    known = squared[np.isfinite(squared)]
    if not len(known):
        return 0.0
    quantiles = np.maximum(np.quantile(known, LEVELS), 1e-9)
    return float(np.log(quantiles / np.array(RADII)).mean() / 2)
