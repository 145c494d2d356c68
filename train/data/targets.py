"""Landmarks → the maps that STAR's attention is trained with: a blob at each landmark, a line along each edge.

The STAR code draws at the crop's size (points) and at four times that (edges) and shrinks the drawings to the heatmap's
size. A heatmap cell in the end holds the mean of the four crop pixels in its middle, the others are never looked at. So
points come from a table of one-dimensional profiles here, and edges are counted where they were drawn.
"""

# K landmarks, E edges, n points of one edge, m points of one curve, c heatmap cells along a side

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.schemes import COFW_29, Edge, LandmarkScheme
from tracker.types import FloatArray

STRIDE = 4
"""Crop pixels per heatmap cell."""
SIGMA_PX = 1.5
RADIUS_PX = 4.5
"""Half the side of a blob, less half a pixel."""
CANVAS_SCALE = 4
"""Canvas pixels per crop pixel when edges are drawn."""
THICKNESS = 4
SAMPLES = 5
"""Points of a curve per segment between two landmarks."""

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


def star_edges(scheme: LandmarkScheme) -> tuple[Edge, ...]:
    """The edges as the STAR code draws them: those of the scheme, but COFW's right eye is left open there. [TRAP]"""
    if scheme is not COFW_29:
        return scheme.edges
    return tuple(Edge(edge.name, edge.indices, edge.closed and edge.name != "right eye") for edge in scheme.edges)


def point_maps(landmarks_K2: FloatArray, input_size: int = 256) -> Float32Array:
    """(K, c, c) a Gaussian blob of 1.5 crop pixels at each landmark, peaks 0.37 to 0.81; c = input_size / 4.

    landmarks: (K, 2) crop pixels; a landmark outside the crop has its blob at the border. Blobs are centred on whole
    pixels, floor(p + 0.5), and cut off 5 pixels below and 4 above. [TRAP] The STAR code truncates towards zero, so
    below 4.5 pixels the centre is a pixel further in, and the blob a pixel narrower unless the landmark is at n + 0.5.

    A blob is a product of two profiles, and so is its mean over 2×2 pixels. Equal to the STAR code's to 6e-8.
    """
    clipped: Float32Array = np.clip(np.asarray(landmarks_K2, np.float32), 0, input_size - 1)
    start = np.trunc(clipped - RADIUS_PX).astype(np.intp)
    narrow = np.trunc(clipped + RADIUS_PX + 1).astype(np.intp) - start < 2 * RADIUS_PX + 1
    profiles_K2c = blob_profiles(input_size)[narrow.astype(np.intp), start + int(RADIUS_PX)]
    maps: Float32Array = profiles_K2c[:, 1, :, None] * profiles_K2c[:, 0, None, :]
    return maps


@cache
def blob_profiles(input_size: int) -> Float32Array:
    """(2, starts, c) profile of a blob along one axis by whether it is a pixel narrower, and by its first pixel + 4."""
    width = int(2 * RADIUS_PX + 1)
    blob = np.exp(-((np.arange(width) - width // 2) ** 2) / (2 * SIGMA_PX**2))
    starts = np.arange(-int(RADIUS_PX), input_size - int(RADIUS_PX))
    pixels = np.zeros((2, len(starts), input_size + 2 * width))
    for row, start in enumerate(starts + width):
        pixels[0, row, start : start + width] = blob
        pixels[1, row, start : start + width - 1] = blob[:-1]
    cells = pixels[..., width:-width].reshape(2, len(starts), -1, STRIDE)
    profiles: Float32Array = cells[..., 1:3].mean(axis=-1).astype(np.float32)
    return profiles


def edge_maps(landmarks_K2: FloatArray, edges: Sequence[Edge], input_size: int = 256) -> Float32Array:
    """(E, c, c) share of each cell's middle covered by a line along the edge, a crop pixel wide; c = input_size / 4.

    landmarks: (K, 2) crop pixels; curves are clipped to the crop. Lines are drawn four times as large without
    anti-aliasing (the STAR code asks for it, but OpenCV has none on its float canvas). Equal to the STAR code's.
    """
    landmarks = np.asarray(landmarks_K2, np.float64)
    cells = input_size // STRIDE
    maps = np.empty((len(edges), cells, cells), np.float32)
    canvas = np.zeros((input_size * CANVAS_SCALE, input_size * CANVAS_SCALE), np.uint8)
    for channel, edge in enumerate(edges):
        curve = np.clip(edge_curve(landmarks[list(edge.indices)], edge.closed), 0, input_size - 1)
        line = (curve * CANVAS_SCALE + 0.5).astype(np.int32)
        cv2.polylines(canvas, [line], edge.closed, 1, THICKNESS)
        _count(canvas, line, maps[channel])
    return maps


def _count(canvas: NDArray[np.uint8], line_m2: NDArray[np.int32], map_cc: Float32Array) -> None:
    """Fill a map with the drawn share of the middle of each cell, and wipe the canvas clean."""
    block = STRIDE * CANVAS_SCALE
    left, top = (line_m2.min(axis=0) - THICKNESS).clip(0) // block
    right, bottom = (line_m2.max(axis=0) + THICKNESS) // block + 1
    drawn = canvas[top * block : bottom * block, left * block : right * block]
    rows, columns = drawn.shape[0] // block, drawn.shape[1] // block
    margin = block // 4
    middles = drawn.reshape(rows, block, columns, block)[:, margin:-margin, :, margin:-margin]
    map_cc[:] = 0
    map_cc[top:bottom, left:right] = middles.sum(axis=(1, 3), dtype=np.uint32) / np.float32((block // 2) ** 2)
    drawn[:] = 0


def edge_curve(points_n2: Float64Array, closed: bool) -> Float64Array:
    """(m, 2) interpolating cubic spline through the points, five samples per segment, an open one with its last point.

    Points are spaced by their distances. An open curve has no knot at the second and the last but one point, a closed
    one is periodic: what FITPACK's splprep(s=0, k=3) gives, to 1e-11. Where it gives up (fewer than four points, the
    repeated first one included, or two equal ones in a row), the points themselves are the curve.
    """
    through = np.concatenate([points_n2, points_n2[:1]]) if closed else points_n2
    distance_n = np.concatenate([[0.0], np.sqrt((np.diff(through, axis=0) ** 2).sum(axis=1)).cumsum()])
    if len(through) < 4 or distance_n[-1] == 0:
        return points_n2
    h = np.diff(distance_n / distance_n[-1])[:, None]
    if not (h > 0).all():
        return points_n2
    bends = _bends(through, h, closed)[:, None]
    right = np.arange(SAMPLES)[:, None] / SAMPLES
    left = 1 - right
    curve = left * through[:-1, None] + right * through[1:, None]
    curve = curve + ((left**3 - left) * bends[:-1] + (right**3 - right) * bends[1:]) * (h[:, None] ** 2 / 6)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, through[-1:]])


def _bends(points_n2: Float64Array, h: Float64Array, closed: bool) -> Float64Array:
    """(n, 2) second derivatives of the spline at its points; h: (n - 1, 1) steps of its parameter."""
    n = len(points_n2)
    slopes = np.diff(points_n2, axis=0) / h
    system, right = np.zeros((n, n)), np.zeros((n, 2))
    inner = np.arange(1, n - 1)
    system[inner, inner - 1], system[inner, inner + 1] = h[:-1, 0], h[1:, 0]
    system[inner, inner] = 2 * (h[:-1, 0] + h[1:, 0])
    right[1:-1] = 6 * np.diff(slopes, axis=0)
    if closed:
        system[0, 0], system[0, -1] = 1, -1
        system[-1, [0, 1, -2, -1]] = 2 * h[0, 0], h[0, 0], h[-1, 0], 2 * h[-1, 0]
        right[-1] = 6 * (slopes[0] - slopes[-1])
    else:
        system[0, :3] = h[1, 0], -h[0, 0] - h[1, 0], h[0, 0]
        system[-1, -3:] = h[-1, 0], -h[-2, 0] - h[-1, 0], h[-2, 0]
    return np.asarray(np.linalg.solve(system, right), np.float64)
