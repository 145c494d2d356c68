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


def test_a_part_of_a_near_face_goes_with_it() -> None:
    near, eye, edge, better = [50.0, 50, 60], [40.0, 40, 20], [80.0, 50, 20], [55.0, 55, 20]
    squares, scores = np.array([near, eye, edge, better]), np.array([0.9, 0.6, 0.7, 0.95])
    # the eye lies in the near face; of the second square half lies outside; the third is surer than the face around it
    assert suppress(squares, scores, 0.35) == [3, 0, 2]


def test_a_face_little_smaller_than_the_one_around_it_is_a_matter_of_overlap() -> None:
    squares, scores = np.array([[50.0, 50, 60], [50.0, 50, 41]]), np.array([0.9, 0.6])
    assert suppress(squares, scores, 0.6) == [0, 1]
    assert suppress(squares, scores, 0.4) == [0]
