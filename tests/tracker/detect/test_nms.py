from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.detect.nms import square_iou, suppress


@pytest.mark.parametrize(
    ("other", "iou"),
    [((0, 0, 2), 1.0), ((1, 0, 2), 1 / 3), ((1, 1, 2), 1 / 7), ((2, 0, 2), 0.0), ((9, 9, 2), 0.0), ((0, 0, 1), 0.25)],
)
def test_iou_by_hand(other: tuple[float, float, float], iou: float) -> None:
    first = np.array([0.0, 0, 2])
    assert float(square_iou(first, np.array(other, float))) == pytest.approx(iou)
    assert float(square_iou(np.array(other, float), first)) == pytest.approx(iou)


def test_the_best_of_each_heap_stays() -> None:
    squares = np.array([[10, 10, 10], [11, 10, 10], [50, 50, 20], [10, 10, 40.0]])
    scores = np.array([0.6, 0.9, 0.3, 0.5])
    assert suppress(squares, scores, 0.4) == [1, 3, 2]
    assert suppress(squares, scores, 1.0) == [1, 0, 3, 2]
    assert suppress(squares[:0], scores[:0], 0.4) == []
