from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.tracker.associate import assign, associate, iou

costs = npst.arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.floats(0, 2))


def best_by_trying(cost: np.ndarray, most: float) -> tuple[int, float]:
    """Number and cost of the pairs of the best assignment: most pairs, then least cost."""
    rows, columns = cost.shape
    choices = [*range(columns), *[None] * rows]
    best = (0, 0.0)
    for order in permutations(choices, rows):
        taken = [cost[row, column] for row, column in enumerate(order) if column is not None]
        if all(value <= most for value in taken):
            best = min(best, (-len(taken), sum(taken)))
    return -best[0], best[1]


@given(costs, st.floats(0.1, 2.5))
def test_no_other_pairs_are_better(cost: np.ndarray, most: float) -> None:
    pairs = assign(cost, max_cost=most)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(cost[row, column] <= most for row, column in pairs)
    count, least = best_by_trying(cost, most)
    assert len(pairs) == count
    assert sum(cost[row, column] for row, column in pairs) == pytest.approx(least, abs=1e-9)


def test_the_nearest_is_not_always_taken() -> None:
    # taking the cheapest pair first would leave the second row with 9
    assert sorted(assign(np.array([[1.0, 2.0], [1.5, 9.0]]), max_cost=10)) == [(0, 1), (1, 0)]


def test_iou_by_hand() -> None:
    first = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], float)
    second = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], float)
    np.testing.assert_allclose(iou(first, second), [[1 / 7, 1, 0], [0, 0, 0]])


def test_association_takes_the_best_pairs_first() -> None:
    known = np.array([[0, 0, 10, 10], [4, 0, 14, 10]], float)
    found = np.array([[3, 0, 13, 10], [50, 0, 60, 10]], float)
    assert associate(known, found, min_iou=0.3) == [(1, 0)]
    assert associate(known, found[:0], min_iou=0.3) == []
    assert associate(known[:0], found, min_iou=0.3) == []
