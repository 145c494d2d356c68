"""Of overlapping detections the best one: greedy non-maximum suppression of squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray


def square_iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """(..., 3) and (..., 3) squares (centre x, y, side), broadcast → (...) intersection over union."""
    apart = np.abs(np.asarray(first[..., :2], np.float64) - second[..., :2])
    sides = np.stack(np.broadcast_arrays(first[..., 2], second[..., 2]), axis=-1).astype(np.float64)
    shared = np.minimum(sides.min(axis=-1, keepdims=True), sides.sum(axis=-1, keepdims=True) / 2 - apart).clip(0)
    intersection = shared.prod(axis=-1)
    union = (sides**2).sum(axis=-1) - intersection
    iou: NDArray[np.float64] = intersection / np.maximum(union, 1e-9)
    return iou


def suppress(squares: FloatArray, scores: FloatArray, max_overlap: float) -> list[int]:
    """Rows to keep, best score first: none overlaps a better one by more than max_overlap.

    squares: (N, 3) centre x, y, side. scores: (N,).
    """
    rest = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(rest):
        best, others = rest[0], rest[1:]
        kept.append(int(best))
        rest = others[square_iou(squares[best], squares[others]) <= max_overlap]
    return kept
