"""Heatmap covariances made honest: a factor for each landmark, fitted on held-back faces."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.evaluate import Evaluation
from train.metrics.nme import ellipse_coverage

Float64Array = NDArray[np.float64]
LEVELS = (0.5, 0.9)
"""The ellipses that are fitted; a Gaussian's cannot both be met where errors have heavy tails, so the two share it."""
OWN_FACES = 200
"""So many faces must speak for a landmark's own factor before it counts as much as that of its curve."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """True minus predicted landmarks, and what the model said of its doubt."""

    error: Float64Array
    """(N, K, 2) px."""
    covariance: Float64Array
    """(N, K, 2, 2) px²."""

    def of(self, faces: NDArray[np.intp]) -> Errors:
        """Some of the faces."""
        return Errors(self.error[faces], self.covariance[faces])

    def scaled(self, scale_K: Float64Array) -> Errors:
        """The same with each landmark's covariance times its factor."""
        return Errors(self.error, scale_K[:, None, None] * self.covariance)

    def coverage(self) -> tuple[float, ...]:
        """Share of the true landmarks inside the ellipses of LEVELS, 0..1."""
        return tuple(ellipse_coverage(self.error, self.covariance, level) for level in LEVELS)


def prediction_errors(evaluation: Evaluation) -> Errors:
    """What a model got wrong on a test set, in pixels of the stored pictures: factors have no unit."""
    return Errors(evaluation.truth - evaluation.points, np.asarray(evaluation.covariance, np.float64))


def fit_scales(found: Errors, curves: Sequence[Sequence[int]]) -> Float64Array:
    """(K,) factors with which the ellipses of LEVELS hold their share, the two levels' in the geometric mean.

    curves: landmarks that share most of their factor (the scheme's edges); with few faces, one landmark's own errors
    say little. A floor under the variances was tried and changed the shares by less than their error.
    """
    count = found.error.shape[1]
    known = {index for curve in curves for index in curve}
    weight = len(found.error) / (len(found.error) + OWN_FACES)
    scale_K = np.ones(count)
    for curve in [*curves, *([k] for k in range(count) if k not in known)]:
        shared = _log_factor(found, list(curve))
        for index in curve:
            scale_K[index] = np.exp(shared + weight * (_log_factor(found, [index]) - shared))
    return scale_K


def cross_validated(
    found: Errors, curves: Sequence[Sequence[int]], *, folds: int = 5, seed: int = 0
) -> tuple[float, ...]:
    """Coverage of LEVELS on faces that were not fitted on, each face left out once."""
    fold_N = np.random.default_rng(seed).permutation(len(found.error)) % folds
    honest = np.empty_like(found.covariance)
    for fold in range(folds):
        rest, left_out = np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)
        honest[left_out] = found.of(left_out).scaled(fit_scales(found.of(rest), curves)).covariance
    return Errors(found.error, honest).coverage()


def _log_factor(found: Errors, landmarks: list[int]) -> float:
    """ln of the factor for some landmarks taken together."""
    error, covariance = found.error[:, landmarks], found.covariance[:, landmarks]
    squared = (error[..., None, :] @ np.linalg.solve(covariance, error[..., None]))[..., 0, 0]
    aims = -2 * np.log1p(-np.array(LEVELS))
    return float(np.log(np.maximum(np.quantile(squared, LEVELS), 1e-9) / aims).mean())
