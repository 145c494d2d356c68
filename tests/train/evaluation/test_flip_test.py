"""A mirrored crop's answer, brought back and merged, by hand and by round trip."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.schemes import IBUG_68, LandmarkScheme
from startrack.train.evaluation.flip_test import merge, mirror_back, run_with_flip

PAIR = LandmarkScheme("pair", 3, flip_pairs=((0, 1),), edges=())


def batch(points: np.ndarray, covariance: np.ndarray, score: np.ndarray) -> LandmarkBatch:
    return LandmarkBatch(
        points[None].astype(np.float32), covariance[None].astype(np.float32), score[None], np.ones(1, np.float32)
    )


@given(st.integers(0, 2**32 - 1))
def test_mirroring_twice_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(68, 2, 2))
    given = batch(rng.uniform(0, 64, (68, 2)), spread @ spread.mT, rng.random(68))
    again = mirror_back(mirror_back(given, IBUG_68, 64), IBUG_68, 64)
    np.testing.assert_allclose(again.points, given.points, atol=1e-5)
    np.testing.assert_allclose(again.covariance, given.covariance, atol=1e-6)
    np.testing.assert_array_equal(again.score, given.score)


def test_a_mirrored_answer_by_hand() -> None:
    spread = np.array([[[4.0, 1.0], [1.0, 9.0]], np.eye(2), 2 * np.eye(2)])
    back = mirror_back(batch(np.array([[1.0, 2], [7, 3], [5, 5]]), spread, np.array([0.1, 0.2, 0.3])), PAIR, 10)
    assert back.points[0].tolist() == [[2, 3], [8, 2], [4, 5]]
    np.testing.assert_allclose(back.score[0], [0.2, 0.1, 0.3])
    assert back.covariance[0, 1].tolist() == [[4, -1], [-1, 9]]


def test_merging_adds_what_the_answers_disagree_by() -> None:
    first = batch(np.array([[0.0, 0.0]]), np.array([np.diag([1.0, 2.0])]), np.array([0.4]))
    second = batch(np.array([[4.0, 2.0]]), np.array([np.diag([3.0, 2.0])]), np.array([0.8]))
    merged = merge(first, second)
    assert merged.points[0].tolist() == [[2, 1]]
    assert merged.covariance[0, 0].tolist() == [[2 + 4, 2], [2, 2 + 1]]
    np.testing.assert_allclose(merged.score, 0.6)
    # the same as the moments of draws from both
    rng = np.random.default_rng(0)
    draws = [rng.multivariate_normal(each.points[0, 0], each.covariance[0, 0], 200_000) for each in (first, second)]
    np.testing.assert_allclose(merged.covariance[0, 0], np.cov(np.concatenate(draws).T), atol=0.05)


def test_an_engine_that_sees_points_gives_the_same_for_both_pictures() -> None:
    """It reads three marked pixels; in the mirrored picture the first two have changed places."""
    size = 16
    crop = np.zeros((1, size, size, 3), np.uint8)
    places = [(3, 5), (12, 6), (8, 11)]
    for index, (x, y) in enumerate(places):
        crop[0, y, x, index] = 255

    def find(crops: np.ndarray) -> LandmarkBatch:
        # channel 0 marks the landmark on the picture's left
        found = [[np.argwhere(one[..., channel])[0][::-1] for channel in range(3)] for one in crops]
        points = np.array(found, np.float32)
        order = [0, 1, 2] if points[0, 0, 0] < points[0, 1, 0] else [1, 0, 2]
        covariance = np.tile(np.eye(2, dtype=np.float32), (1, 3, 1, 1))
        return LandmarkBatch(points[:, order], covariance, np.ones((1, 3), np.float32), np.ones(1, np.float32))

    engine = FakeEngine(ModelSpec("marks", "points_3", 3, size, size // 4, 1.0), find)
    answer = run_with_flip(engine, crop, PAIR)
    assert answer.points[0].tolist() == [list(map(float, place)) for place in places]
    np.testing.assert_array_equal(answer.covariance[0], np.tile(np.eye(2), (3, 1, 1)))
