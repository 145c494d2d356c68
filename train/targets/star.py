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

from startrack.tracker.schemes import COFW_29, Edge, LandmarkScheme
from startrack.tracker.types import FloatArray

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
    maps = np.zeros((len(edges), cells, cells), np.float32)
    for map_cc, edge in zip(maps, edges, strict=True):
        curve = np.clip(edge_curve(landmarks[list(edge.indices)], edge.closed), 0, input_size - 1)
        _draw(map_cc, (curve * CANVAS_SCALE + 0.5).astype(np.int32), edge.closed)
    return maps


def _draw(map_cc: Float32Array, line_m2: NDArray[np.int32], closed: bool) -> None:
    """Fill the cells of an empty map near a line with the drawn share of the middle of each. line: canvas pixels."""
    block = STRIDE * CANVAS_SCALE
    left, top = (line_m2.min(axis=0) - THICKNESS).clip(0) // block
    right, bottom = ((line_m2.max(axis=0) + THICKNESS) // block + 1).clip(max=len(map_cc))
    canvas = np.zeros(((bottom - top) * block, (right - left) * block), np.uint8)
    cv2.polylines(canvas, [line_m2 - np.array([left, top], np.int32) * block], closed, 1, THICKNESS)
    margin = block // 4
    # the middle 8 of every 16 pixels: every second byte of the bits from the fourth pixel on
    rows = canvas.reshape(bottom - top, block, -1)[:, margin:-margin, margin:-margin]
    counts = np.bitwise_count(np.packbits(rows, axis=-1)[..., ::2]).sum(axis=1, dtype=np.uint32)
    map_cc[top:bottom, left:right] = counts / np.float32((block // 2) ** 2)


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
    bends = spline_bends(through, h, closed)
    squares = h**2 / 6
    ends = np.stack([through[:-1], through[1:], bends[:-1] * squares, bends[1:] * squares], axis=1)
    curve = (_SAMPLES @ ends).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, through[-1:]])


_RIGHT = np.arange(SAMPLES) / SAMPLES
_SAMPLES = np.stack([1 - _RIGHT, _RIGHT, (1 - _RIGHT) ** 3 - (1 - _RIGHT), _RIGHT**3 - _RIGHT], axis=1)
"""(samples, 4) shares of a segment's two ends and two bends in each sample of it."""


def spline_bends(points_n2: Float64Array, h: Float64Array, closed: bool) -> Float64Array:
    """(n, 2) second derivatives of the spline at its points, a closed one's first twice; h: (n - 1, 1) steps of its
    parameter."""
    system, constant, differences = spline_equations(len(points_n2), closed)
    matrix = (h[:, 0] @ system).reshape(constant.shape) + constant
    return np.asarray(np.linalg.solve(matrix, differences @ (np.diff(points_n2, axis=0) / h)), np.float64)


@cache
def spline_equations(knots: int, closed: bool) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The system whose solution are the second derivatives of a spline through n points (a closed one's first twice).

    (n - 1, n · n) the share of each segment's length in the matrix, (n, n) the rest of it, (n, n - 1) the
    right side by the segments' slopes. Slopes are equal where segments meet; at the ends, slopes and second derivatives
    of a closed curve are, and the third derivatives at the second and the last but one point of an open one.
    """
    last = knots - 1
    system, constant = np.zeros((last, knots, knots)), np.zeros((knots, knots))
    differences = np.zeros((knots, last))
    for knot in range(1, last):
        system[knot - 1, knot, [knot - 1, knot]] = 1, 2
        system[knot, knot, [knot, knot + 1]] = 2, 1
        differences[knot, [knot - 1, knot]] = -6, 6
    if closed:
        constant[0, [0, last]] = 1, -1
        system[0, last, [0, 1]] = 2, 1
        system[last - 1, last, [last - 1, last]] = 1, 2
        differences[last, [0, last - 1]] = 6, -6
    else:
        system[1, 0, [0, 1]] = system[last - 2, last, [last, last - 1]] = 1, -1
        system[0, 0, [1, 2]] = system[last - 1, last, [last - 1, last - 2]] = -1, 1
    return system.reshape(last, -1), constant, differences
