"""Known faces × new boxes → pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.tracker.types import FloatArray


def iou(first_N4: FloatArray, second_M4: FloatArray) -> FloatArray:
    """(N, M) intersection over union of xyxy boxes; 0 for empty boxes."""
    left, top, right, bottom = first_N4.T[:, :, None]
    other_left, other_top, other_right, other_bottom = second_M4.T[:, None]
    # axis by axis: products over two numbers take numpy several times as long
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    overlap = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    area = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    other_area = np.maximum(other_right - other_left, 0.0) * np.maximum(other_bottom - other_top, 0.0)
    union = area + other_area - overlap
    ratio: FloatArray = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratio


def covered_share(box: FloatArray, other: FloatArray) -> float:
    """Share of one (4,) xyxy box that lies within another; 0 for an empty box."""
    width, height = (np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).clip(0).tolist()
    area = float((box[2:] - box[:2]).clip(0).prod())
    return width * height / area if area > 0 else 0.0


def associate(known_N4: FloatArray, found_M4: FloatArray, *, min_iou: float) -> list[tuple[int, int]]:
    """Pairs (known, found) of overlapping boxes, best overlap first; each box is in at most one pair."""
    overlap = iou(known_N4, found_M4)
    pairs: list[tuple[int, int]] = []
    rows, columns = np.nonzero(overlap >= min_iou)
    best_first = np.argsort(-overlap[rows, columns], kind="stable")
    for known, box in zip(rows[best_first].tolist(), columns[best_first].tolist(), strict=True):
        if all(known != other[0] and box != other[1] for other in pairs):
            pairs.append((known, box))
    return pairs


def assign(cost_NM: FloatArray, *, max_cost: float) -> list[tuple[int, int]]:
    """Pairs (row, column) with the least sum of costs, each at most max_cost; every row and column at most once.

    Of several ways the one with more pairs is taken. The Hungarian method by shortest augmenting paths (Jonker and
    Volgenant, Computing 1987): a pair whose cost is above max_cost is worth as much as no pair.
    """
    rows, columns = cost_NM.shape
    if not rows or not columns:
        return []
    alone = 1e3 * (max_cost + 1)
    # a column of its own for every row: to stay alone
    padded = np.concatenate([np.where(cost_NM <= max_cost, cost_NM, 2 * alone), np.full((rows, rows), alone)], axis=1)
    row_price, column_price = np.zeros(rows), np.zeros(columns + rows)
    owner = np.full(columns + rows, -1)
    for start in range(rows):
        row, least, done = start, np.full(columns + rows, np.inf), np.zeros(columns + rows, bool)
        before = np.full(columns + rows, -1)
        path, reached = -1, 0.0
        while True:
            reach = reached + padded[row] - row_price[row] - column_price
            better = ~done & (reach < least)
            least[better], before[better] = reach[better], path
            path = int(np.where(done, np.inf, least).argmin())
            reached, done[path] = float(least[path]), True
            if owner[path] < 0:
                break
            row = int(owner[path])
        row_price[start] += reached
        for column in np.flatnonzero(done):
            if column != path:
                row_price[owner[column]] += reached - least[column]
                column_price[column] -= reached - least[column]
        while before[path] >= 0:
            owner[path] = owner[before[path]]
            path = int(before[path])
        owner[path] = start
    return [(int(owner[column]), column) for column in range(columns) if owner[column] >= 0]


def stack_boxes(boxes: Sequence[FloatArray]) -> FloatArray:
    """A list of (4,) boxes → (N, 4), also for none."""
    return np.array(boxes, np.float64).reshape(-1, 4)
