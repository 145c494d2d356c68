"""Known faces × new boxes → pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.types import FloatArray


def iou(first_N4: FloatArray, second_M4: FloatArray) -> FloatArray:
    """(N, M) intersection over union of xyxy boxes; 0 for empty boxes."""
    low = np.maximum(first_N4[:, None, :2], second_M4[None, :, :2])
    high = np.minimum(first_N4[:, None, 2:], second_M4[None, :, 2:])
    overlap = (high - low).clip(0).prod(axis=-1)
    area_N = (first_N4[:, 2:] - first_N4[:, :2]).clip(0).prod(axis=-1)
    area_M = (second_M4[:, 2:] - second_M4[:, :2]).clip(0).prod(axis=-1)
    union = area_N[:, None] + area_M[None] - overlap
    ratio: FloatArray = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratio


def associate(known_N4: FloatArray, found_M4: FloatArray, *, min_iou: float) -> list[tuple[int, int]]:
    """Pairs (known, found) of overlapping boxes, best overlap first; each box stands in at most one pair."""
    overlap = iou(known_N4, found_M4)
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        known, found = np.unravel_index(flat, overlap.shape)
        if overlap[known, found] < min_iou:
            break
        if all(known != other[0] and found != other[1] for other in pairs):
            pairs.append((int(known), int(found)))
    return pairs


def stack_boxes(boxes: Sequence[FloatArray]) -> FloatArray:
    """A list of (4,) boxes → (N, 4), also for none."""
    return np.array(boxes, np.float64).reshape(-1, 4)
