"""Heatmaps → points, covariance, score in numpy: the reference that every graph and engine is compared with.

A heatmap cell i covers crop pixels stride·i … stride·(i + 1) - 1, so its centre lies at stride·(i + 0.5) - 0.5.
"""

# B batch, K landmarks, h w heatmap rows and columns

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import SCORE_RADIUS

FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


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


def quarter_offset(heatmaps_BKhw: FloatArray, stride: int) -> Decoded:
    """The highest cell of each heatmap, a quarter of a cell towards the larger neighbour on either axis.

    For heatmaps regressed to blobs of height 1 (Newell et al., ECCV 2016; Wang et al., ICCV 2019). A peak in the
    outermost row or column stays. Covariance and score: see peak_spread.
    """
    maps = np.asarray(heatmaps_BKhw, np.float64)
    cells = _highest_cells(maps)
    _, right, left, below, above, *_ = _around(maps, cells)
    shift = 0.25 * np.sign(np.stack([right - left, below - above], -1))
    return _decoded(maps, cells + shift * _inside(cells, maps, 1)[..., None], stride)


def dark(heatmaps_BKhw: FloatArray, stride: int) -> Decoded:
    """The top of the parabola through the logarithm of each smoothed heatmap at its highest cell (Zhang et al., CVPR
    2020, DARK), no more than a cell away per axis; a peak within two cells of the border stays.

    For heatmaps regressed to blobs of height 1 and a sigma of about 2 cells. Covariance and score: see peak_spread.
    """
    maps = np.asarray(heatmaps_BKhw, np.float64)
    cells = _highest_cells(maps)
    smooth = np.log(np.maximum(_smoothed(maps), 1e-10))
    centre, right, left, below, above, se, nw, ne, sw, right2, left2, below2, above2 = _around(smooth, cells)
    gx, gy = 0.5 * (right - left), 0.5 * (below - above)
    xx, yy = 0.25 * (right2 - 2 * centre + left2), 0.25 * (below2 - 2 * centre + above2)
    xy = 0.25 * (se + nw - ne - sw)
    determinant = xx * yy - xy * xy
    step = np.stack([xy * gy - yy * gx, xy * gx - xx * gy], -1)
    solvable = _inside(cells, maps, 2) & (determinant != 0)
    step = np.where(solvable[..., None], step / np.where(solvable, determinant, 1)[..., None], 0)
    return _decoded(maps, cells + step.clip(-1, 1), stride)


def peak_spread(heatmaps_BKhw: FloatArray, stride: int) -> tuple[FloatArray, FloatArray]:
    """Covariance and score of heatmaps regressed to blobs of height 1: (B, K, 2, 2) px² and (B, K) 0..1.

    The spread is that of the map above a quarter of its height: below lies the residue of the regression, which over
    thousands of cells would outweigh the blob. The score is the map's height, as in HRNet's evaluation: other than
    that of a distribution (spread_score) it says how sure the network is that the landmark is there at all.
    """
    height = heatmaps_BKhw.max(axis=(-2, -1), initial=0)
    above = np.maximum(heatmaps_BKhw - 0.25 * height[..., None, None], 0)
    score: FloatArray = np.clip(height, 0, 1)
    return soft_argmax(above, stride).covariance, score


_AROUND = np.array(
    [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1), (2, 0), (-2, 0), (0, 2), (0, -2)]
)
"""x, y of a cell's neighbours."""
_KERNEL = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 2.0**2))
"""DARK's smoothing: 11 cells for targets of a sigma of 2."""


def _decoded(maps_BKhw: FloatArray, cells_BK2: FloatArray, stride: int) -> Decoded:
    return Decoded(stride * (cells_BK2 + 0.5) - 0.5, *peak_spread(maps_BKhw, stride))


def _highest_cells(maps_BKhw: FloatArray) -> NDArray[np.intp]:
    """(B, K, 2) x, y."""
    h, w = maps_BKhw.shape[-2:]
    flat = maps_BKhw.reshape(*maps_BKhw.shape[:2], h * w).argmax(axis=-1)
    return np.stack([flat % w, flat // w], -1)


def _around(maps_BKhw: FloatArray, cells_BK2: NDArray[np.intp]) -> NDArray[np.float64]:
    """(13, B, K) the map at the cell and its neighbours, those outside taken at the border."""
    h, w = maps_BKhw.shape[-2:]
    places = np.clip(cells_BK2 + _AROUND[:, None, None], 0, [w - 1, h - 1])
    index = (places[..., 1] * w + places[..., 0]).transpose(1, 2, 0)
    flat = maps_BKhw.reshape(*maps_BKhw.shape[:2], h * w)
    return np.moveaxis(np.take_along_axis(np.asarray(flat, np.float64), index, axis=-1), -1, 0)


def _inside(cells_BK2: NDArray[np.intp], maps_BKhw: FloatArray, margin: int) -> NDArray[np.bool_]:
    """(B, K) whether the cell has `margin` neighbours on each side."""
    last = np.array(maps_BKhw.shape[:-3:-1]) - 1 - margin
    return np.all((cells_BK2 >= margin) & (cells_BK2 <= last), axis=-1)  # type: ignore[no-any-return]


def _smoothed(maps_BKhw: FloatArray) -> NDArray[np.float64]:
    """(B, K, h, w) through the kernel, nothing outside the map, each as high as it was before."""
    smooth: NDArray[np.float64] = np.asarray(maps_BKhw, np.float64)
    for axis in (-1, -2):
        padding = [(0, 0)] * smooth.ndim
        padding[axis] = (5, 5)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, padding), 11, axis=axis)
        smooth = windows @ (_KERNEL / _KERNEL.sum())
    height, lowered = (maps.max(axis=(-2, -1), keepdims=True) for maps in (maps_BKhw, smooth))
    smooth *= height / np.maximum(lowered, 1e-300)
    return smooth


DECODERS: dict[str, Callable[[FloatArray, int], Decoded]] = {
    "soft_argmax": soft_argmax,
    "stretched_soft_argmax": stretched_soft_argmax,
    "argmax": argmax,
    "quarter_offset": quarter_offset,
    "dark": dark,
}
"""ModelSpec.decoder → function."""
