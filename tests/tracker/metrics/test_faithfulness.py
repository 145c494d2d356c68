"""Measures of a smoother against raw landmarks, on paths whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.metrics.faithfulness import eye_opening, faithfulness, lag_at_changes
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)
EYES = float(np.linalg.norm(FACE[36] - FACE[45]))
UPPER_LIDS = [37, 38, 43, 44]


def noisy(count: int = 60, sigma: float = 0.1) -> np.ndarray:
    return FACE + np.random.default_rng(0).normal(0, sigma, (count, 68, 2))


def test_the_raw_points_themselves_are_faithful() -> None:
    raw = noisy()
    found = faithfulness(raw, raw, range(60))
    assert (found.away_max_percent, found.fold_max_percent, found.head_p99_percent) == pytest.approx((0, 0, 0))
    assert found.jitter_steady_percent == found.raw_jitter_steady_percent
    assert found.jitter_all_percent == found.raw_jitter_all_percent
    assert (found.frames, found.stretches, found.blinks) == (60, 1, 0)


def test_a_point_torn_off_is_as_far_away_as_it_is() -> None:
    raw = np.tile(FACE, (20, 1, 1))
    smooth = raw.copy()
    smooth[10, 50] += [0.3 * EYES, 0.4 * EYES]  # a lip: neither rigid nor jaw
    found = faithfulness(raw, smooth, range(20))
    assert found.away_max_percent == pytest.approx(50)
    assert found.fold_max_percent == pytest.approx(0)


def test_half_a_jaw_left_behind_is_a_fold() -> None:
    raw = np.tile(FACE, (20, 1, 1))
    smooth = raw.copy()
    smooth[10, :5, 0] += 0.1 * EYES
    # 5 of 17 points are 10 % off the median, which is 0
    assert faithfulness(raw, smooth, range(20)).fold_max_percent == pytest.approx(10 * 5 / 17)


def test_a_lag_of_one_frame_and_a_head_left_behind_cost_no_distance() -> None:
    raw = FACE + 3.0 * np.arange(30)[:, None, None]
    late = np.concatenate([raw[:1], raw[:-1]])
    found = faithfulness(raw, late, range(30))
    assert found.away_max_percent == pytest.approx(0, abs=1e-9)
    assert found.head_p99_percent == pytest.approx(100 * 3 * 2**0.5 / EYES)


def test_lost_depth_of_blinks() -> None:
    """The lids come together; the smoother stops half way."""
    raw = np.tile(FACE, (60, 1, 1))
    gap = raw[0, [41, 40, 47, 46]] - raw[0, UPPER_LIDS]
    for start in (15, 40):
        raw[start : start + 5, UPPER_LIDS] += gap
    half = (raw + FACE) / 2
    found = faithfulness(raw, half, range(60))
    assert found.blinks == 4  # of two eyes
    assert found.lids_percent == pytest.approx(50)
    assert eye_opening(raw, 0)[16] == pytest.approx(0)


@pytest.mark.parametrize("delay", [0.0, 0.5, 1.0, 2.5])
def test_lag_around_fast_changes(delay: float) -> None:
    t = np.arange(200.0)
    words, late = (np.sin(at / 2.5) * (np.sin(at / 20) > 0) for at in (t, t - delay))
    assert lag_at_changes(words, late) == pytest.approx(delay, abs=0.1)


def test_nothing_that_changes_has_no_lag() -> None:
    assert np.isnan(lag_at_changes(np.ones(100), np.ones(100)))
    assert np.isnan(lag_at_changes(np.arange(5.0), np.arange(5.0)))


def test_jitter_of_white_noise() -> None:
    raw = noisy(400)
    found = faithfulness(raw, FACE + 0.5 * (raw - FACE), range(400))
    assert found.raw_jitter_all_percent == pytest.approx(100 * 12**0.5 * 0.1 / EYES, rel=0.03)
    assert found.jitter_all_percent == pytest.approx(0.5 * found.raw_jitter_all_percent)


def test_no_figure_looks_across_a_cut_or_a_gap() -> None:
    raw = np.concatenate([np.tile(FACE, (20, 1, 1)), np.tile(FACE + 100, (20, 1, 1))])
    assert faithfulness(raw, raw, range(40)).stretches == 2
    still = np.tile(FACE, (40, 1, 1))
    assert faithfulness(still, still, [*range(20), *range(25, 45)]).stretches == 2


@pytest.mark.parametrize(
    ("raw", "smooth", "count"),
    [
        (np.zeros((5, 68, 2)), np.zeros((4, 68, 2)), 5),
        (np.zeros((5, 98, 2)), np.zeros((5, 98, 2)), 5),
        (np.zeros((5, 68, 2)), np.zeros((5, 68, 2)), 4),
        (np.full((5, 68, 2), np.nan), np.zeros((5, 68, 2)), 5),
        (np.zeros((0, 68, 2)), np.zeros((0, 68, 2)), 0),
    ],
)
def test_what_cannot_be_compared_is_refused(raw: np.ndarray, smooth: np.ndarray, count: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        faithfulness(raw, smooth, range(count))
