from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.eyes.lids import fused, refined
from startrack.tracker.types import Landmarks


def spread(*variances: float) -> np.ndarray:
    return np.diag(variances)[None]


def test_equal_readings_meet_in_the_middle() -> None:
    points, covariance = fused(np.array([[0.0, 0.0]]), spread(2, 2), np.array([[4.0, 2.0]]), spread(2, 2))
    np.testing.assert_allclose(points, [[2, 1]], atol=1e-5)
    np.testing.assert_allclose(covariance, spread(1, 1), atol=1e-5)


def test_each_axis_is_weighed_by_its_own_spread() -> None:
    points, covariance = fused(np.array([[0.0, 0.0]]), spread(1, 9), np.array([[4.0, 10.0]]), spread(3, 1))
    np.testing.assert_allclose(points, [[1, 9]], atol=1e-4)
    np.testing.assert_allclose(covariance, spread(0.75, 0.9), atol=1e-4)


def test_a_certain_reading_wins_and_two_certain_ones_share() -> None:
    first, second = np.array([[0.0, 0.0]]), np.array([[4.0, 2.0]])
    np.testing.assert_allclose(fused(first, spread(1, 1), second, spread(0, 0))[0], second, atol=1e-4)
    np.testing.assert_allclose(fused(first, spread(0, 0), second, spread(0, 0))[0], [[2, 1]], atol=1e-4)


@given(st.floats(-3, 3), st.floats(0.1, 30), st.floats(0.1, 30))
def test_the_order_of_the_readings_does_not_matter(angle: float, wide: float, other: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one, two = turn @ np.diag([wide, 1.0]) @ turn.T, np.diag([1.0, other])
    a, b = np.array([[1.0, -2.0]]), np.array([[0.5, 7.0]])
    forth, back = fused(a, one[None], b, two[None]), fused(b, two[None], a, one[None])
    np.testing.assert_allclose(forth[0], back[0], atol=1e-3)
    np.testing.assert_allclose(forth[1], back[1], atol=1e-3)
    # surer than either alone, in every direction
    assert (np.linalg.eigvalsh(one - forth[1][0]) > -1e-6).all()


def test_other_landmarks_stay_and_nothing_is_written_into() -> None:
    points, covariance = np.arange(20.0).reshape(10, 2), np.tile(np.eye(2), (10, 1, 1))
    before = points.copy()
    marks = Landmarks(points, covariance, np.ones(10), 1.0)
    after = refined(marks, [7, 2], np.array([[0.0, 0.0], [1.0, 1.0]]), np.tile(1e-9 * np.eye(2), (2, 1, 1)))
    np.testing.assert_array_equal(points, before)
    np.testing.assert_allclose(after.points[[7, 2]], [[0, 0], [1, 1]], atol=1e-3)
    others = [k for k in range(10) if k not in (2, 7)]
    np.testing.assert_array_equal(after.points[others], before[others])
    np.testing.assert_array_equal(after.covariance[others], covariance[others])
