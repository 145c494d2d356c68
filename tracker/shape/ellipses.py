"""How large an ellipse around a landmark must be to hold it: the stated distribution of errors, a mixture of Gaussians.

Errors of landmarks have heavier tails than one Gaussian, since some readings are wrong in a way that no heatmap shows.
The statement is: nine in ten are drawn from N(0, 0.83 Σ) and one in ten from N(0, 4.4 Σ), Σ being Landmarks.covariance.
It was chosen on validation faces, plain, turned, dark, blurred and covered; a calibration fits Σ to it.
"""

from __future__ import annotations

import math

PARTS = ((0.9, 0.83), (0.1, 4.4))
"""Weight of each Gaussian, and its covariance over Σ."""


def share_within(squared_radius: float) -> float:
    """Share of the errors e with eᵀ Σ⁻¹ e up to squared_radius, 0..1; the inverse of squared_radius."""
    return 1 - sum(weight * math.exp(-squared_radius / (2 * scale)) for weight, scale in PARTS)


def squared_radius(level: float) -> float:
    """The squared Mahalanobis radius of the ellipse that holds `level` of the errors, 0 ≤ level < 1.

    1.30 for a level of 0.5 and 5.0 for 0.9, where a single Gaussian has 1.39 and 4.61. Raises ValueError for any other
    level.
    """
    if not 0 <= level < 1:
        raise ValueError(f"a level of {level}; expected 0 to below 1")
    low, high = 0.0, 1.0
    while share_within(high) < level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if share_within(middle) < level else (low, middle)
    return (low + high) / 2
