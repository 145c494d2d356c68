"""Heatmap covariances made honest on held-back faces: a factor for each landmark, one that grows with the spread."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.metrics.nme import ellipse_coverage

Float64Array = NDArray[np.float64]
LEVELS = (0.5, 0.9)
"""The ellipses that are fitted; a Gaussian's cannot both be met where errors have heavy tails, so the two share it."""
OWN_FACES = 200
"""So many faces must speak for a landmark's own factor before it counts as much as that of its curve."""
MAX_GROWTH = 2.0
"""A bound for few or strange faces; the faces of 300W ask for about 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """True minus predicted landmarks, and what the model said of its doubt."""

    error: Float64Array
    """(N, K, 2) crop pixels."""
    covariance: Float64Array
    """(N, K, 2, 2) px² of the crop."""

    def of(self, faces: NDArray[np.intp] | NDArray[np.bool_]) -> Errors:
        """Some of the faces."""
        return Errors(self.error[faces], self.covariance[faces])

    def coverage(self) -> tuple[float, ...]:
        """Share of the true landmarks inside the ellipses of LEVELS, 0..1."""
        return tuple(ellipse_coverage(self.error, self.covariance, level) for level in LEVELS)

    def spread(self) -> Float64Array:
        """(N,) mean over the landmarks of ln tr Σ."""
        spread_N: Float64Array = np.log(np.trace(self.covariance, axis1=-2, axis2=-1)).mean(axis=1)
        return spread_N

    def squared_distances(self) -> Float64Array:
        """(N, K) squared Mahalanobis distance of each error."""
        squared_NK: Float64Array = (self.error[..., None, :] @ np.linalg.solve(self.covariance, self.error[..., None]))[
            ..., 0, 0
        ]
        return squared_NK


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Covariance → covariance · scale · exp(growth · min(spread, widest)), spread being Errors.spread of the face."""

    scale: Float64Array
    """(K,) positive."""
    growth: float
    """At least 0; at 0 every face has the same factors."""
    widest: float
    """The widest spread among the faces fitted on: wider ones are no reason for a still larger factor."""

    def __call__(self, found: Errors) -> Errors:
        """Errors with calibrated covariances."""
        face_N = np.exp(self.growth * np.minimum(found.spread(), self.widest))
        factors_NK = face_N[:, None] * self.scale
        return Errors(found.error, factors_NK[..., None, None] * found.covariance)


def concatenated(parts: Sequence[Errors]) -> Errors:
    """The faces of all parts."""
    return Errors(np.concatenate([part.error for part in parts]), np.concatenate([part.covariance for part in parts]))


def fit_calibration(found: Errors, curves: Sequence[Sequence[int]]) -> Calibration:
    """The calibration with which the ellipses of LEVELS hold their share on these faces, plain and hard ones together.

    On hard faces a network doubts too little: what it gets wrong grows faster than its heatmaps do, about with their
    square. growth is the slope of a line through the faces: ln of the factor that one face asks for, over its spread.
    curves: landmarks that share most of their factor (the scheme's edges); with few faces, one landmark's own errors
    say little. A floor under the variances was tried and changed the shares by less than their error.
    """
    spread_N = found.spread()
    asked_N = _log_factor(found.squared_distances(), axis=1)
    away_N = spread_N - spread_N.mean()
    slope = float(away_N @ asked_N) / max(float(away_N @ away_N), 1e-9)
    growth, widest = float(np.clip(slope, 0.0, MAX_GROWTH)), float(spread_N.max())
    grown = Calibration(np.ones(found.error.shape[1]), growth, widest)(found)
    return Calibration(_fit_scales(grown.squared_distances(), curves), growth, widest)


def cross_validated(
    parts: Sequence[Errors], curves: Sequence[Sequence[int]], *, folds: int = 5, seed: int = 0
) -> list[tuple[float, ...]]:
    """Coverage of LEVELS for each part on faces that were not fitted on, each face left out once.

    parts: the same faces under various conditions, in the same order; a face is left out of all of them.
    """
    fold_N = np.random.default_rng(seed).permutation(len(parts[0].error)) % folds
    fitted = [
        fit_calibration(concatenated([part.of(fold_N != fold) for part in parts]), curves) for fold in range(folds)
    ]
    honest = [[one(part.of(fold_N == fold)) for fold, one in enumerate(fitted)] for part in parts]
    return [concatenated(pieces).coverage() for pieces in honest]


def _fit_scales(squared_NK: Float64Array, curves: Sequence[Sequence[int]]) -> Float64Array:
    """(K,) factors; those of a curve mostly alike."""
    faces, count = squared_NK.shape
    known = {index for curve in curves for index in curve}
    weight = faces / (faces + OWN_FACES)
    scale_K = np.ones(count)
    for curve in [*curves, *([k] for k in range(count) if k not in known)]:
        shared = float(_log_factor(squared_NK[:, list(curve)]))
        for index in curve:
            scale_K[index] = np.exp(shared + weight * (float(_log_factor(squared_NK[:, index])) - shared))
    return scale_K


def _log_factor(squared: Float64Array, axis: int | None = None) -> Float64Array:
    """ln of the factor with which the ellipses hold their share, the two levels' in the geometric mean."""
    aims = -2 * np.log1p(-np.array(LEVELS))
    quantiles = np.maximum(np.quantile(squared, LEVELS, axis=axis), 1e-9)
    log_factor: Float64Array = np.log(quantiles.T / aims).mean(axis=-1)
    return log_factor
