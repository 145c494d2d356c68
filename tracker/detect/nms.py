"""Of overlapping detections the best one: greedy non-maximum suppression of squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray

MOST_INSIDE = 0.7
"""Share of a detection's area inside a better one of at least LARGER times its side: a part of that face."""
LARGER = 1.5


def square_iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """(..., 3) and (..., 3) squares (centre x, y, side), broadcast → (...) intersection over union."""
    intersection, union = _shared(first, second)
    iou: NDArray[np.float64] = intersection / np.maximum(union, 1e-9)
    return iou


def _shared(first: FloatArray, second: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(...) areas of intersection and union."""
    apart = np.abs(np.asarray(first[..., :2], np.float64) - second[..., :2])
    sides = np.stack(np.broadcast_arrays(first[..., 2], second[..., 2]), axis=-1).astype(np.float64)
    overlap = np.minimum(sides.min(axis=-1, keepdims=True), sides.sum(axis=-1, keepdims=True) / 2 - apart).clip(0)
    intersection = overlap.prod(axis=-1)
    return intersection, (sides**2).sum(axis=-1) - intersection


def suppress(squares: FloatArray, scores: FloatArray, max_overlap: float) -> list[int]:
    """Rows to keep, best score first: none overlaps a better one by more than max_overlap, or is a part of it
    (MOST_INSIDE): eyes or teeth of a near face.

    squares: (N, 3) centre x, y, side. scores: (N,).
    """
    rest = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(rest):
        best, others = rest[0], rest[1:]
        kept.append(int(best))
        intersection, union = _shared(squares[best], squares[others])
        sides = squares[others, 2].astype(np.float64)
        overlaps = intersection > max_overlap * np.maximum(union, 1e-9)
        part = (intersection > MOST_INSIDE * sides**2) & (squares[best, 2] >= LARGER * sides)
        rest = others[~(overlaps | part)]
    return kept
