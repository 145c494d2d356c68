"""NME, failure rate, CED and the area under it: the measures of face landmark papers."""

# N faces, K landmarks, G grid values

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.shape.ellipses import squared_radius
from startrack.tracker.types import FloatArray

Float64Array: TypeAlias = NDArray[np.float64]
NormaliserName: TypeAlias = Literal["inter_ocular", "inter_pupil", "box", "diagonal"]


def inter_ocular(truth_NK2: FloatArray, scheme: LandmarkScheme) -> Float64Array:
    """(N,) distance of the outer eye corners: the usual normaliser of 300W and WFLW. ValueError without corners."""
    if scheme.inter_ocular is None:
        raise ValueError(f"{scheme.name} has no eye corners; expected another normaliser")
    first, second = scheme.inter_ocular
    truth = np.asarray(truth_NK2, np.float64)
    distance_N: Float64Array = np.linalg.norm(truth[:, first] - truth[:, second], axis=-1)
    return distance_N


def inter_pupil(truth_NK2: FloatArray, scheme: LandmarkScheme) -> Float64Array:
    """(N,) distance of the pupils (WFLW, COFW) or, without these, of the means of the landmarks around either eye.

    Raises ValueError for a markup without eyes.
    """
    if not (scheme.pupils or (scheme.left_eye and scheme.right_eye)):
        raise ValueError(f"{scheme.name} has no eyes; expected another normaliser")
    eyes = [(index,) for index in scheme.pupils] if scheme.pupils else [scheme.left_eye, scheme.right_eye]
    left, right = (np.asarray(truth_NK2, np.float64)[:, list(eye)].mean(axis=1) for eye in eyes)
    distance_N: Float64Array = np.linalg.norm(left - right, axis=-1)
    return distance_N


def box_side(truth_NK2: FloatArray, scheme: LandmarkScheme) -> Float64Array:
    """(N,) square root of the area of the landmarks' bounding box (Bulat & Tzimiropoulos, ICCV 2017)."""
    side_N: Float64Array = np.sqrt(_extent(truth_NK2).prod(axis=1))
    return side_N


def box_diagonal(truth_NK2: FloatArray, scheme: LandmarkScheme) -> Float64Array:
    """(N,) diagonal of the landmarks' bounding box (Chrysos et al., IJCV 2018)."""
    diagonal_N: Float64Array = np.linalg.norm(_extent(truth_NK2), axis=1)
    return diagonal_N


def _extent(truth_NK2: FloatArray) -> Float64Array:
    """(N, 2) width and height of the landmarks that are annotated."""
    truth = np.asarray(truth_NK2, np.float64)
    extent_N2: Float64Array = np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1)
    return extent_N2


NORMALISERS: dict[NormaliserName, Callable[[FloatArray, LandmarkScheme], Float64Array]] = {
    "inter_ocular": inter_ocular,
    "inter_pupil": inter_pupil,
    "box": box_side,
    "diagonal": box_diagonal,
}
"""EvalProtocol.normaliser → function of (N, K, 2) true landmarks, in their unit; NaN landmarks are not annotated."""


@dataclass(frozen=True)
class NmeSummary:
    """The figures of one model on one set of faces, all in per cent."""

    nme: float
    """Mean over the faces, % of the normaliser."""
    fr5: float
    fr8: float
    fr10: float
    """FR@0.05, 0.08, 0.10: % of the faces with an NME above that."""
    auc5: float
    auc8: float
    auc10: float
    """AUC@0.05, 0.08, 0.10: % of the largest possible area."""
    faces: int


def landmark_errors(
    predicted_NK2: FloatArray,
    truth_NK2: FloatArray,
    normaliser_N: FloatArray,
    annotated_NK: NDArray[np.bool_] | None = None,
) -> Float64Array:
    """(N, K) distance of each landmark from its true place over the face's normaliser; NaN where not annotated.

    Points and normaliser in the same unit. annotated: None for all. Raises ValueError on unequal shapes, on a value
    that is not finite where it counts and on a normaliser that is not positive: a mean must not hide either.
    """
    predicted, truth = np.asarray(predicted_NK2, np.float64), np.asarray(truth_NK2, np.float64)
    normaliser = np.asarray(normaliser_N, np.float64)
    if predicted.shape != truth.shape or truth.ndim != 3 or normaliser.shape != truth.shape[:1]:
        raise ValueError(
            f"predicted {predicted.shape}, truth {truth.shape}, normaliser {normaliser.shape}: not one set"
        )
    known = np.ones(truth.shape[:2], bool) if annotated_NK is None else annotated_NK
    if not (np.isfinite(predicted).all() and np.isfinite(truth[known]).all()):
        raise ValueError("a landmark is not finite")
    if not (np.isfinite(normaliser).all() and (normaliser > 0).all()):
        raise ValueError(f"normalisers must be positive, found {normaliser.min()}")
    errors: Float64Array = np.linalg.norm(predicted - truth, axis=-1) / normaliser[:, None]
    return np.where(known, errors, np.nan)


def nme(predicted_NK2: FloatArray, truth_NK2: FloatArray, normaliser_N: FloatArray) -> Float64Array:
    """(N,) normalised mean error of each face, as a ratio: 0.03 is 3 % (Sagonas et al., ICCV Workshops 2013)."""
    errors_N: Float64Array = landmark_errors(predicted_NK2, truth_NK2, normaliser_N).mean(axis=1)
    return errors_N


def failure_rate(nme_N: FloatArray, threshold: float) -> float:
    """FR@threshold, 0..1: share of the faces with an NME above the threshold."""
    return float((_faces(nme_N) > threshold).mean())


def ced(nme_N: FloatArray, grid_G: FloatArray) -> Float64Array:
    """(G,) cumulative error distribution: share of the faces with an NME of at most each grid value, 0..1."""
    values = np.sort(_faces(nme_N))
    return np.searchsorted(values, np.asarray(grid_G, np.float64), side="right") / len(values)


def area_under_ced(nme_N: FloatArray, threshold: float) -> float:
    """AUC@threshold, 0..1: area under the CED from 0 to the threshold, over the threshold.

    The CED is a step function, so its area is exact: the mean over the faces of max(0, 1 - NME / threshold).
    """
    return float(np.maximum(0.0, 1.0 - _faces(nme_N) / threshold).mean())


def summarise(nme_N: FloatArray) -> NmeSummary:
    """The usual figures from (N,) NMEs given as ratios. Raises ValueError for no face or a value not finite."""
    return NmeSummary(
        nme=100 * float(_faces(nme_N).mean()),
        fr5=100 * failure_rate(nme_N, 0.05),
        fr8=100 * failure_rate(nme_N, 0.08),
        fr10=100 * failure_rate(nme_N, 0.10),
        auc5=100 * area_under_ced(nme_N, 0.05),
        auc8=100 * area_under_ced(nme_N, 0.08),
        auc10=100 * area_under_ced(nme_N, 0.10),
        faces=len(nme_N),
    )


def star_failure_rate_and_auc(nme_N: FloatArray, threshold: float) -> tuple[float, float]:
    """FR (4 digits) and AUC (6 digits), 0..1, as the official STAR code prints them (ZhenglinZhou/STAR, lib/metric).

    It samples the CED every 1e-4 and integrates by Simpson's rule. Kept as it is: at a threshold of 0.05 its grid
    ends at 0.0501, so both values speak of that NME, the area still over 0.05.
    """
    step = 1e-4
    grid = np.arange(0, threshold + step, step)
    curve = ced(nme_N, grid)
    return round(1 - float(curve[-1]), 4), round(_simpson(curve, step) / threshold, 6)


def _simpson(values: Float64Array, step: float) -> float:
    """Composite Simpson's rule; an even count gets Cartwright's last interval, as in SciPy since 1.11."""
    odd = values if len(values) % 2 else values[:-1]
    area = step / 3 * (odd[0] + 4 * odd[1:-1:2].sum() + 2 * odd[2:-1:2].sum() + odd[-1])
    if len(values) % 2 == 0:
        area += step * (5 * values[-1] + 8 * values[-2] - values[-3]) / 12
    return float(area)


def bootstrap_interval(
    values_N: FloatArray, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Low and high end of the mean's confidence interval: percentiles of the means of faces drawn with replacement
    (Efron & Tibshirani, 1993, chapter 13). The same seed gives the same interval."""
    values = _faces(values_N)
    draw = np.random.default_rng(seed)
    means = [values[draw.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def ellipse_coverage(error_NK2: FloatArray, covariance_NK22: FloatArray, level: float) -> float:
    """Share of the landmarks, 0..1, that lie inside the ellipse which is stated to hold `level` of the errors.

    error: (..., 2) true minus predicted, covariance: (..., 2, 2), same unit. An honest covariance gives `level`; less
    means that it promises too much. Inside is eᵀ Σ⁻¹ e ≤ r², r² being that of the stated mixture of two Gaussians
    (startrack.tracker.shape.ellipses); a singular Σ has nothing inside.
    """
    error, covariance = np.asarray(error_NK2, np.float64), np.asarray(covariance_NK22, np.float64)
    x, y = error[..., 0], error[..., 1]
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    determinant = xx * yy - xy**2
    # eᵀ adj(Σ) e compared with the bound times det Σ: no division
    inside = (yy * x**2 - 2 * xy * x * y + xx * y**2) <= squared_radius(level) * determinant
    return float((inside & (determinant > 0)).mean())


def _faces(nme_N: FloatArray) -> Float64Array:
    values = np.asarray(nme_N, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"one finite value per face expected, found shape {values.shape}: {values}")
    return values
