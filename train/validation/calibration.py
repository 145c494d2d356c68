"""Heatmap covariances made honest on held-back faces, and the chance that a landmark can be seen."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.shape.ellipses import squared_radius
from startrack.train.metrics.nme import ellipse_coverage

Float64Array = NDArray[np.float64]
LEVELS = (0.5, 0.9)
"""The ellipses that are fitted; where both cannot be met they share the error."""
TOLERANCES = np.array([0.05, 0.04])
"""How far from their shares they may be: the units in which misses of both are compared."""
SHIFTS = np.linspace(-0.2, 0.2, 161)
"""Logarithms of the factors that are tried for all covariances alike."""
OWN_FACES = 200
"""So many faces must speak for a landmark's own factor before it counts as much as that of its curve."""
LEAST, MOST = np.array([-0.5, 0.0, 0.0]), np.array([1.0, 2.0, 2.0])
"""Bounds of Calibration's three growths, for few or strange faces; those of 300W ask for about -0.1, 0.6 and 1."""
ROUNDS = 12
"""Of reweighted least squares."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """True minus predicted landmarks, the model's stated doubt, and which landmarks were covered."""

    error: Float64Array
    """(N, K, 2) crop pixels."""
    covariance: Float64Array
    """(N, K, 2, 2) px² of the crop."""
    hidden: NDArray[np.bool_] | None = None
    """(N, K); None where nobody knows."""

    def of(self, faces: NDArray[np.intp] | NDArray[np.bool_]) -> Errors:
        """Some of the faces."""
        return Errors(self.error[faces], self.covariance[faces], None if self.hidden is None else self.hidden[faces])

    def coverage(self) -> tuple[float, ...]:
        """Share of the true landmarks inside the ellipses of LEVELS, 0..1."""
        return tuple(ellipse_coverage(self.error, self.covariance, level) for level in LEVELS)

    def log_traces(self) -> Float64Array:
        """(N, K) ln tr Σ."""
        log_NK: Float64Array = np.log(np.trace(self.covariance, axis1=-2, axis2=-1))
        return log_NK

    def squared_distances(self) -> Float64Array:
        """(N, K) squared Mahalanobis distance of each error."""
        squared_NK: Float64Array = (self.error[..., None, :] @ np.linalg.solve(self.covariance, self.error[..., None]))[
            ..., 0, 0
        ]
        return squared_NK


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """With t = min(ln tr Σ, widest) of all the face's landmarks: Σ → Σ · exp(t · weights + bias), and the logit of a
    landmark's visibility, t · visibility_weights + visibility_bias."""

    weights: Float64Array
    """(K, K) from each landmark's trace to each landmark's factor: three growths, see `growth`."""
    bias: Float64Array
    """(K,)."""
    widest: float
    """Near the widest ln tr Σ fitted on: wider ones are no reason for a still larger factor."""
    visibility_weights: Float64Array
    """(K, K)."""
    visibility_bias: Float64Array
    """(K,)."""
    growth: tuple[float, float, float]
    """How the logarithm of the factor grows with a landmark's own spread against its curve's mean, with that against
    the face's mean, and with the face's mean. All 0: every face has the same factors."""

    def __call__(self, errors: Errors) -> Errors:
        """Errors with calibrated covariances."""
        factors_NK = np.exp(self._known(errors) @ self.weights + self.bias)
        return Errors(errors.error, factors_NK[..., None, None] * errors.covariance, errors.hidden)

    def visibility(self, errors: Errors) -> Float64Array:
        """(N, K) chance that nothing covers the landmark, from covariances before calibration."""
        chance_NK: Float64Array = 1 / (
            1 + np.exp(-(self._known(errors) @ self.visibility_weights + self.visibility_bias))
        )
        return chance_NK

    def _known(self, errors: Errors) -> Float64Array:
        known_NK: Float64Array = np.minimum(errors.log_traces(), self.widest)
        return known_NK


def concatenated(parts: Sequence[Errors]) -> Errors:
    """The faces of all parts; hidden landmarks are known if they are for every part."""
    hidden = [part.hidden for part in parts if part.hidden is not None]
    return Errors(
        np.concatenate([part.error for part in parts]),
        np.concatenate([part.covariance for part in parts]),
        np.concatenate(hidden) if len(hidden) == len(parts) else None,
    )


def fit_calibration(errors: Errors, curves: Sequence[Sequence[int]], seen: Errors | None = None) -> Calibration:
    """The calibration with which the ellipses of LEVELS hold their share on these faces, plain and hard ones together.

    A network doubts too little where it errs much: on hard faces errors grow about with the square of the heatmaps'
    spread, and of a covered curve they grow more than the spread of that curve. The growths are those of a quantile
    regression of both levels at once (Koenker and Bassett, Econometrica 1978), by reweighted least squares; then each
    landmark gets its factor. curves: landmarks that share most of theirs (the scheme's edges), for with few faces one
    landmark's own errors say little. seen: faces for the visibilities, by default the same; without a covered
    landmark among them all are visible.
    """
    groups = _groups(errors.error.shape[1], curves)
    traces_NK = errors.log_traces()
    widest = float(np.quantile(traces_NK, 0.999))
    known_NK = np.minimum(traces_NK, widest)
    squared_NK = errors.squared_distances()
    growth = np.clip(_quantile_growth(known_NK, squared_NK, groups), LEAST, MOST)
    weights = _mixed(growth, groups)
    grown_NK = squared_NK / np.exp(known_NK @ weights)
    bias = np.log(_fit_scales(grown_NK, [np.flatnonzero(row) for row in groups]))
    visibility_growth, visibility_bias = _fit_visibility(seen or errors, groups, widest)
    own, curve, face = growth.tolist()
    return Calibration(weights, bias, widest, _mixed(visibility_growth, groups), visibility_bias, (own, curve, face))


def balanced(calibration: Calibration, parts: Sequence[Errors]) -> Calibration:
    """The same with one factor more for all covariances: with which the ellipses' largest miss of their share under any
    of the conditions is least. parts: faces under a condition each, before any calibration."""
    squared = [calibration(part).squared_distances() for part in parts]
    reach_SL = np.exp(SHIFTS)[:, None] * _radii()
    held_SLP = np.stack([[[np.mean(one <= reach) for reach in row] for row in reach_SL] for one in squared], axis=-1)
    miss_S = (np.abs(held_SLP - np.array(LEVELS)[:, None]) / TOLERANCES[:, None]).max(axis=(1, 2))
    return replace(calibration, bias=calibration.bias + SHIFTS[miss_S.argmin()])


def cross_validated(
    parts: Sequence[Errors], curves: Sequence[Sequence[int]], *, folds: int = 5, seed: int = 0
) -> list[tuple[float, ...]]:
    """Coverage of LEVELS for each part on faces that were not fitted on, each face left out once.

    parts: the same faces under various conditions, in the same order; a face is left out of all of them.
    """
    fold_N = np.random.default_rng(seed).permutation(len(parts[0].error)) % folds
    fitted = []
    for fold in range(folds):
        others = [part.of(fold_N != fold) for part in parts]
        fitted.append(balanced(fit_calibration(concatenated(others), curves), others))
    cross_validated = [[one(part.of(fold_N == fold)) for fold, one in enumerate(fitted)] for part in parts]
    return [concatenated(pieces).coverage() for pieces in cross_validated]


def chance_of_order(visibility: Float64Array, hidden: NDArray[np.bool_]) -> float:
    """Chance that a covered landmark has a lower visibility than one that can be seen (area under the ROC curve)."""
    order = np.argsort(visibility, axis=None, kind="stable")
    rank = np.empty(order.size)
    rank[order] = np.arange(order.size)
    covered = hidden.ravel()
    pairs = int(covered.sum()) * int((~covered).sum())
    above = rank[~covered].sum() - (~covered).sum() * ((~covered).sum() - 1) / 2
    return float(above / pairs) if pairs else float("nan")


def _groups(count: int, curves: Sequence[Sequence[int]]) -> Float64Array:
    """(G, K) 1 where a landmark belongs to the group: its first curve, or itself."""
    left, rows = set(range(count)), []
    for indices in [*curves, *([k] for k in range(count))]:
        own = left & set(indices)
        left -= own
        if own:
            rows.append([float(k in own) for k in range(count)])
    return np.array(rows)


def _parts(groups: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Three (K, K) that part a face's traces: own against the curve's mean, curve's against the face's, face's mean."""
    count = groups.shape[1]
    curve = groups.T @ (groups / groups.sum(axis=1, keepdims=True))
    face = np.full((count, count), 1 / count)
    return np.eye(count) - curve, curve - face, face


def _mixed(growth: Float64Array, groups: Float64Array) -> Float64Array:
    own, curve, face = _parts(groups)
    mixed: Float64Array = growth[0] * own + growth[1] * curve + growth[2] * face
    return mixed


def _features(known_NK: Float64Array, groups: Float64Array) -> Float64Array:
    """(N·K, 3 + G) the three parts of the traces, and the landmark's group."""
    parts = np.stack([known_NK @ part for part in _parts(groups)], axis=-1).reshape(-1, 3)
    return np.concatenate([parts, np.tile(groups.T, (len(known_NK), 1))], axis=1)


def _quantile_growth(known_NK: Float64Array, squared_NK: Float64Array, groups: Float64Array) -> Float64Array:
    """(3,)."""
    features = _features(known_NK, groups)
    wanted = np.log(np.maximum(squared_NK, 1e-9)).ravel()[:, None] - np.log(_radii())
    ridge = 1e-4 * len(features) * np.eye(features.shape[1])
    fitted, coefficients = np.full(len(features), float(np.median(wanted[:, 0]))), np.zeros(features.shape[1])
    for _ in range(ROUNDS):
        away = wanted - fitted[:, None]
        weight = np.where(away > 0, LEVELS, 1 - np.array(LEVELS)) / np.maximum(np.abs(away), 0.1)
        total = weight.sum(axis=1)
        matrix = features.T @ (total[:, None] * features) + ridge
        coefficients = np.linalg.solve(matrix, features.T @ (weight * wanted).sum(axis=1))
        fitted = features @ coefficients
    growth: Float64Array = coefficients[:3]
    return growth


def _fit_visibility(errors: Errors, groups: Float64Array, widest: float) -> tuple[Float64Array, Float64Array]:
    """(3,) and (K,) of a logistic regression, by Newton's method."""
    count = errors.error.shape[1]
    if errors.hidden is None or not errors.hidden.any():
        return np.zeros(3), np.full(count, 5.0)
    features = _features(np.minimum(errors.log_traces(), widest), groups)
    visible = 1.0 - errors.hidden.ravel()
    solved = np.zeros(features.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-features @ solved))
        weight = chance * (1 - chance) + 1e-6
        matrix = features.T @ (weight[:, None] * features) + np.eye(len(solved))
        solved = solved + np.linalg.solve(matrix, features.T @ (visible - chance) - solved)
    return solved[:3], groups.T @ solved[3:]


def _fit_scales(squared_NK: Float64Array, curves: Sequence[NDArray[np.intp]]) -> Float64Array:
    """(K,) factors; those of a curve mostly its common one."""
    faces, count = squared_NK.shape
    weight = faces / (faces + OWN_FACES)
    scale_K = np.ones(count)
    for curve in curves:
        shared = _log_factor(squared_NK[:, curve])
        for index in curve:
            scale_K[index] = np.exp(shared + weight * (_log_factor(squared_NK[:, index]) - shared))
    return scale_K


def _radii() -> Float64Array:
    """Squared Mahalanobis radii of LEVELS."""
    return np.array([squared_radius(level) for level in LEVELS])


def _log_factor(squared: Float64Array) -> float:
    """ln of the factor with which the ellipses hold their share, the two levels' in the geometric mean."""
    quantiles = np.maximum(np.quantile(squared, LEVELS), 1e-9)
    return float(np.log(quantiles / _radii()).mean())
