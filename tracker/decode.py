"""Heatmaps → points, covariance, score in numpy: the reference that every graph and engine is compared with.

A heatmap cell i covers crop pixels stride·i … stride·(i + 1) - 1, so its centre lies at stride·(i + 0.5) - 0.5.
"""

# B batch, K landmarks, h w heatmap rows and columns

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.types import FloatArray

SCORE_RADIUS = 1 / 32
"""The radius, as a share of the crop's side, that a landmark's score speaks of (see spread_score)."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Landmarks read from heatmaps, in crop pixels."""

    points: FloatArray
    """(B, K, 2) x, y."""
    covariance: FloatArray
    """(B, K, 2, 2) px²."""
    score: FloatArray
    """(B, K) 0..1."""


def soft_argmax(heatmaps_BKhw: FloatArray, stride: int) -> Decoded:
    """Mean and covariance of each heatmap taken as a distribution over its cells (Sun et al., ECCV 2018).

    heatmaps: (B, K, h, w), non-negative, any mass; an empty map gives the middle of the crop. The spread of one cell,
    stride²/12 per axis, is part of the covariance, which therefore never vanishes.
    """
    return _moments(heatmaps_BKhw, stride, (stride, stride), (stride - 1) / 2)


def stretched_soft_argmax(heatmaps_BKhw: FloatArray, stride: int) -> Decoded:
    """As soft_argmax, but the first and the last cell lie on the crop's borders, -0.5 and S - 0.5.

    So the STAR code decodes ([TRAP] see train.models.star_hourglass.stretched_grid), and its networks learn to be read.
    Covariance is in crop pixels on the same grid.
    """
    h, w = heatmaps_BKhw.shape[-2:]
    return _moments(heatmaps_BKhw, stride, (stride * w / max(w - 1, 1), stride * h / max(h - 1, 1)), -0.5)


def _moments(heatmaps_BKhw: FloatArray, stride: int, steps: tuple[float, float], first: float) -> Decoded:
    """Cell i lies at first + i · step, with steps along x and y in crop pixels."""
    h, w = heatmaps_BKhw.shape[-2:]
    maps = np.asarray(heatmaps_BKhw, np.float64)
    mass = maps.sum(axis=(-2, -1))
    maps = np.where(mass[..., None, None] > 1e-12, maps, 1.0)
    maps = maps / maps.sum(axis=(-2, -1), keepdims=True)
    x_w, y_h = (first + step * np.arange(cells) for step, cells in zip(steps, (w, h), strict=True))
    columns_BKw, rows_BKh = maps.sum(axis=-2), maps.sum(axis=-1)
    x, y = columns_BKw @ x_w, rows_BKh @ y_h
    xx = columns_BKw @ x_w**2 - x**2 + steps[0] ** 2 / 12
    yy = rows_BKh @ y_h**2 - y**2 + steps[1] ** 2 / 12
    xy = np.einsum("bkhw,h,w->bk", maps, y_h, x_w) - x * y
    covariance = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)
    return Decoded(np.stack([x, y], -1), covariance, spread_score(covariance, stride * max(h, w)))


def spread_score(covariance: FloatArray, input_size: int) -> FloatArray:
    """Chance that a landmark lies within SCORE_RADIUS of the crop's side of its estimate, if it is spread like an
    isotropic Gaussian of the same variance: 1 - exp(-r² / tr Σ). (..., 2, 2) px² → (...)."""
    trace = covariance[..., 0, 0] + covariance[..., 1, 1]
    score: FloatArray = 1 - np.exp(-((SCORE_RADIUS * input_size) ** 2) / trace)
    return score


def argmax(heatmaps_BKhw: FloatArray, stride: int) -> Decoded:
    """The highest cell of each heatmap; covariance and score as in soft_argmax."""
    spread = soft_argmax(heatmaps_BKhw, stride)
    h, w = heatmaps_BKhw.shape[-2:]
    flat = heatmaps_BKhw.reshape(*heatmaps_BKhw.shape[:2], h * w).argmax(axis=-1)
    cells = np.stack([flat % w, flat // w], -1)
    return Decoded(stride * (cells + 0.5) - 0.5, spread.covariance, spread.score)


DECODERS: dict[str, Callable[[FloatArray, int], Decoded]] = {
    "soft_argmax": soft_argmax,
    "stretched_soft_argmax": stretched_soft_argmax,
    "argmax": argmax,
}
"""ModelSpec.decoder → function."""
