"""Landmarks → the maps that Adaptive Wing is trained with: a blob at each landmark, one line along all boundaries."""

# K landmarks, n points of a curve, c cells along a side of the square heatmap

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray
from startrack.train.targets.star import spline_bends

SIGMA_CELLS = 1.75
"""Of a landmark's blob. The published call says 1, its helper makes a quarter of the window's 7 cells of it."""
RADIUS = 3
"""Cells on each side of the middle one that a blob covers."""
BOUNDARY_SIGMA = 1.0
BOUNDARY_REACH = 3.0
"""Cells from the line from which on the boundary map is 0."""
CURVE_SAMPLES = 100

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


def cells_from_pixels(points_K2: FloatArray, stride: int) -> Float64Array:
    """Crop pixels → heatmap cells; the inverse of engines.decode's stride · (cell + 0.5) - 0.5."""
    return (np.asarray(points_K2, np.float64) + 0.5) / stride - 0.5


def landmark_maps(cells_K2: FloatArray, size: int = 64) -> Float32Array:
    """(K, c, c) a Gaussian of 1.75 cells at each landmark's exact place, 0 beyond 3.5 cells per axis.

    [DIFF] The published code puts it on a whole cell (published_landmark_maps), so that perfect heatmaps decode to
    points 1.5 of 256 pixels off. A landmark outside the map, or not a number, has a map of zeros.
    """
    cells = np.asarray(cells_K2, np.float64)
    inside = np.all((cells >= -0.5) & (cells < size - 0.5), axis=1)  # also False for NaN
    offset_K2c = np.arange(size) - np.where(inside[:, None], cells, -size)[..., None]
    profile_K2c = np.exp(-(offset_K2c**2) / (2 * SIGMA_CELLS**2)) * (np.abs(offset_K2c) <= RADIUS + 0.5)
    maps: Float32Array = (profile_K2c[:, 1, :, None] * profile_K2c[:, 0, None, :]).astype(np.float32)
    return maps


def published_landmark_maps(points_K2: FloatArray, size: int = 64) -> Float32Array:
    """(K, c, c) as landmark_maps, but as drawn by the published code; points: (K, 2) crop pixels, 4 to a cell.

    Each blob sits on the whole cell floor(p / 4). [TRAP] Where the window leaves the map on the left or the top, the
    part that is pasted starts at its element -u instead of 1 - u (u ≤ 0 its first cell, counted from 1): up to two
    cells too far right or down. The published loader draws nothing for a landmark with x ≤ 0; that is the caller's.
    """
    axis = np.arange(-RADIUS, RADIUS + 1)
    profile = np.exp(-(axis**2) / (2 * SIGMA_CELLS**2))
    maps = np.zeros((len(points_K2), size, size), np.float32)
    for channel, point in enumerate(np.asarray(points_K2, np.float64)):
        middle = np.floor(point / 4 + 1).astype(int)  # counted from 1
        first, last = middle - RADIUS, middle + RADIUS
        if (first > size).any() or (last < 1).any():
            continue
        parts = [_pasted(int(low), int(high), size) for low, high in zip(first, last, strict=True)]
        (columns, x), (rows, y) = parts
        maps[channel, rows, columns] = np.outer(profile[y], profile[x])
    return maps


def _pasted(first: int, last: int, size: int) -> tuple[slice, slice]:
    """Cells of the map, and the elements of the window that the published code pastes there."""
    low, high = max(1, first), min(last, size)
    start = max(1, -first)
    return slice(low - 1, high), slice(start - 1, start + high - low)


def boundary_map(
    cells_K2: FloatArray, curves: Sequence[Sequence[int]], size: int = 64, *, published: bool = False
) -> Float32Array:
    """(c, c) 0..1: exp(-d²/2) of the distance d in cells to the nearest curve, 0 from d = 3 on.

    Each curve is the spline of degree min(4, n) - 1 through its n landmarks, spaced by their distances. A curve with a
    landmark that is not a number is left out. published: landmarks are first rounded down to whole cells, the line is
    drawn one cell too far right [TRAP] (the published code draws it with matplotlib's pixel marker), and the map is
    stored as floor(256 v), at most 255, over 255.
    """
    points = np.floor(cells_K2) if published else np.asarray(cells_K2, np.float64)
    lines = [points[list(curve)] for curve in curves]
    samples = [curve_samples(line) for line in lines if np.isfinite(line).all()]
    return line_map(np.concatenate([np.zeros((0, 2)), *samples]), size, published=published)


def line_map(samples_m2: Float64Array, size: int = 64, *, published: bool = False) -> Float32Array:
    """(c, c) as boundary_map, from the samples of all curves in cells."""
    xy = np.floor(samples_m2) + np.array([1, 0]) if published else np.floor(samples_m2 + 0.5)
    drawn = xy[((xy >= 0) & (xy < size)).all(axis=1)].astype(np.intp)
    if not len(drawn):
        return np.zeros((size, size), np.float32)
    free = np.full((size, size), 255, np.uint8)
    free[drawn[:, 1], drawn[:, 0]] = 0
    distance = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    line = np.where(distance < BOUNDARY_REACH, np.exp(-(distance**2) / (2 * BOUNDARY_SIGMA**2)), 0)
    return (np.minimum(np.floor(line * 256), 255) / 255 if published else line).astype(np.float32)


def curve_samples(points_n2: Float64Array) -> Float64Array:
    """(100, 2) points along the interpolating spline at evenly spaced parameters, the end point left out.

    Repeated points count once. What FITPACK's splprep(s=0, k=min(4, n) - 1) gives.
    """
    moved = np.concatenate([[True], (np.diff(points_n2, axis=0) != 0).any(axis=1)])
    through = points_n2[moved]
    if len(through) == 1:
        through = np.concatenate([through, through + 0.001])
    knots_n = np.concatenate([[0.0], np.linalg.norm(np.diff(through, axis=0), axis=1).cumsum()])
    knots_n /= knots_n[-1]
    t = np.arange(CURVE_SAMPLES) / CURVE_SAMPLES
    if len(through) <= 3:
        return _polynomial(knots_n, through, t)
    step = np.diff(knots_n)
    bends = spline_bends(through, step[:, None], False)
    segment = np.searchsorted(knots_n, t, side="right") - 1
    right = ((t - knots_n[segment]) / step[segment])[:, None]
    left = 1 - right
    curve = left * through[segment] + right * through[segment + 1]
    curvature = (left**3 - left) * bends[segment] + (right**3 - right) * bends[segment + 1]
    samples: Float64Array = curve + curvature * (step[segment] ** 2)[:, None] / 6
    return samples


def _polynomial(knots_n: Float64Array, points_n2: Float64Array, t: Float64Array) -> Float64Array:
    """The polynomial of degree n - 1 through the points (Lagrange), n = 2 or 3."""
    total = np.zeros((len(t), 2))
    for own, point in enumerate(points_n2):
        others = np.delete(knots_n, own)
        weight = np.prod((t[:, None] - others) / (knots_n[own] - others), axis=1)
        total += weight[:, None] * point
    return total
