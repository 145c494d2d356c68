"""Of overlapping detections the best one: greedy non-maximum suppression of squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray

MOST_INSIDE = 0.7
"""Share of a detection's area inside a better one of at least LARGER times its side: a part of that face."""
LARGER = 1.5


def square_iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """(..., 3) and (..., 3) squares (centre x, y, side), broadcast → (...) intersection over union."""
    intersection, union = _shared(_columns(first), _columns(second))
    iou: NDArray[np.float64] = intersection / np.maximum(union, 1e-9)
    return iou


_Columns: TypeAlias = Sequence[NDArray[np.float64]]
"""Centre x, y and side of squares, (...) each."""


def _columns(squares: FloatArray) -> _Columns:
    wide = np.asarray(squares, np.float64)
    return wide[..., 0], wide[..., 1], wide[..., 2]


def _shared(first: _Columns, second: _Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(...) areas of intersection and union."""
    # axis by axis: sums and products over two numbers take numpy several times as long
    smaller, reach = np.minimum(first[2], second[2]), (first[2] + second[2]) / 2
    across = np.maximum(np.minimum(smaller, reach - np.abs(first[0] - second[0])), 0.0)
    down = np.maximum(np.minimum(smaller, reach - np.abs(first[1] - second[1])), 0.0)
    intersection = across * down
    return intersection, first[2] ** 2 + second[2] ** 2 - intersection


def suppress(squares: FloatArray, scores: FloatArray, max_overlap: float) -> list[int]:
    """Rows to keep, best score first: none overlaps a better one by more than max_overlap, or is a part of it
    (MOST_INSIDE): eyes or teeth of a near face.

    squares: (N, 3) centre x, y, side. scores: (N,).
    """
    rest = np.argsort(-scores, kind="stable")
    # (3, N), best first: each number of a square in a row of its own
    x, y, side = squares.astype(np.float64)[rest].T
    kept: list[int] = []
    while len(rest):
        kept.append(int(rest[0]))
        intersection, union = _shared((x[0], y[0], side[0]), (x, y, side))
        overlaps = intersection > max_overlap * np.maximum(union, 1e-9)
        part = (intersection > MOST_INSIDE * side**2) & (side[0] >= LARGER * side)
        others = ~(overlaps | part)
        others[0] = False
        rest, x, y, side = rest[others], x[others], y[others], side[others]
    return kept
