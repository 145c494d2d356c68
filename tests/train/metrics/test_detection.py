"""Cases small enough to work out on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from startrack.train.metrics.detection import PictureResult, ignored_share, score_detections


def picture(found: list[tuple[float, ...]], truth: list[tuple[float, ...]], ignored: list = ()) -> PictureResult:  # type: ignore[assignment]
    """found: centre x, y, side, score."""
    rows = np.array(found, float).reshape(-1, 4)
    return PictureResult(
        rows[:, :3], rows[:, 3], np.array(truth, float).reshape(-1, 3), np.array(ignored, float).reshape(-1, 3)
    )


def test_perfect_and_empty() -> None:
    perfect = score_detections([picture([(10, 10, 20, 0.9)], [(10, 10, 20)])])
    assert perfect.average_precision() == 1
    assert perfect.recall_at(0) == (1, 0.9)
    blind = score_detections([picture([], [(10, 10, 20)])])
    assert (blind.average_precision(), blind.recall_at(5)) == (0, (0, 1))
    assert math.isnan(score_detections([picture([(10, 10, 20, 0.9)], [])]).average_precision())


def test_average_precision_by_hand() -> None:
    # best first: right, wrong, right; precision 1, 1/2, 2/3; three faces to find: (1 + 2/3) / 3
    result = score_detections(
        [
            picture([(10, 10, 20, 0.9), (100, 100, 20, 0.8)], [(10, 10, 20), (500, 500, 20)]),
            picture([(10, 10, 20, 0.7)], [(11, 10, 20)]),
        ]
    )
    assert result.correct.tolist() == [True, False, True]
    assert result.average_precision() == pytest.approx(5 / 9)
    assert result.recall_at(0) == pytest.approx((1 / 3, 0.9))
    assert result.recall_at(1) == pytest.approx((2 / 3, 0.7))
    assert result.at_score(0.75) == pytest.approx((1 / 3, 1))


def test_a_face_is_found_once() -> None:
    result = score_detections([picture([(10, 10, 20, 0.9), (11, 10, 20, 0.8)], [(10, 10, 20)])])
    assert result.correct.tolist() == [True, False]


def test_iou_below_a_half_is_wrong() -> None:
    # shifted by a third of the side: 2/3 shared of 4/3: exactly 1/2; by more: less
    for shift, right in ((6.6, True), (6.8, False)):
        result = score_detections([picture([(10 + shift, 10, 20, 0.9)], [(10, 10, 20)])])
        assert result.correct.tolist() == [right]


def test_detections_in_ignored_squares_do_not_count() -> None:
    result = score_detections([picture([(100, 100, 20, 0.9), (10, 10, 20, 0.8)], [(10, 10, 20)], [(104, 100, 30)])])
    assert result.correct.tolist() == [True]
    outside = score_detections([picture([(100, 100, 20, 0.9)], [(10, 10, 20)], [(115, 100, 20)])])
    assert outside.correct.tolist() == [False]
    assert ignored_share(np.array([[0, 0, 10.0]]), np.array([[5, 0, 10.0], [0, 0, 4], [0, 0, 50]])) == pytest.approx(
        np.array([[0.5, 0.16, 1.0]])
    )


def test_faces_of_other_sizes_are_ignored_with_what_finds_them() -> None:
    pictures = [
        picture([(10, 10, 20, 0.9), (100, 100, 40, 0.8), (300, 300, 22, 0.7)], [(10, 10, 20), (100, 100, 40)]),
    ]
    large = score_detections(pictures, min_side=32)
    assert (large.num_faces, large.correct.tolist()) == (1, [True])
    small = score_detections(pictures, max_side=32)
    assert (small.num_faces, small.correct.tolist()) == (1, [True, False])
    # just too large a square still finds a face of the asked size
    edge = score_detections([picture([(10, 10, 33, 0.9)], [(10, 10, 31)])], max_side=32)
    assert edge.correct.tolist() == [True]
