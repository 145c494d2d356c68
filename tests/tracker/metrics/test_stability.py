"""Jitter and lag on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.metrics.stability import lag_frames, second_difference_jitter


def test_jitter_by_hand() -> None:
    points = np.zeros((3, 2, 2))
    points[1, 0] = [3.0, 4.0]
    # one landmark's second difference is 10 px long, the other's 0: RMS √50
    assert second_difference_jitter(points, 200.0) == pytest.approx(100 * np.sqrt(50) / 200)


def test_a_still_face_and_a_steady_motion_have_no_jitter() -> None:
    assert second_difference_jitter(np.full((10, 68, 2), 31.7), 60.0) == 0
    steady = np.arange(10.0)[:, None, None] * [0.5, -0.25] + np.ones((1, 68, 1))
    assert second_difference_jitter(steady, 60.0) == 0


def test_jitter_of_white_noise_is_root_12_sigma() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (2000, 68, 2))
    assert second_difference_jitter(noise, 60.0) == pytest.approx(100 * np.sqrt(12) * 0.3 / 60, rel=0.01)


def test_frames_without_the_face_are_left_out() -> None:
    points = np.zeros((9, 1, 2))
    points[4] = np.nan
    points[5:, :, 0] = 7.0  # elsewhere after the gap: no jitter
    assert second_difference_jitter(points, 50.0) == 0
    points[7] += [3.0, 4.0]
    # four triples are whole; two of them see the jump of 5 px, from its edge and from its top
    assert second_difference_jitter(points, 50.0) == pytest.approx(100 * np.sqrt((5**2 + 10**2) / 4) / 50)


@pytest.mark.parametrize(
    ("points", "normaliser"),
    [
        (np.zeros((2, 1, 2)), 1.0),
        (np.array([0.0, 0, np.nan, 0, 0])[:, None, None] + np.zeros((5, 1, 2)), 1.0),
        (np.zeros((5, 2)), 1.0),
        (np.zeros((5, 1, 2)), 0.0),
        (np.zeros((5, 1, 2)), float("nan")),
    ],
)
def test_jitter_refuses_what_has_no_answer(points: np.ndarray, normaliser: float) -> None:
    with pytest.raises(ValueError, match=r"expected|three in a row"):
        second_difference_jitter(points, normaliser)


def _nod(t: np.ndarray) -> np.ndarray:
    """(T, 2, 2): two landmarks on different sways of 40 and 25 frames."""
    waves = np.stack([np.sin(t / 40 * 2 * np.pi), np.cos(t / 25 * 2 * np.pi)], axis=-1)
    return np.stack([20 * waves, 5 * waves[:, ::-1]], axis=1)


@given(st.floats(-6, 6))
def test_lag_of_a_delayed_signal_is_its_delay(delay: float) -> None:
    t = np.arange(200.0)
    assert lag_frames(_nod(t - delay), _nod(t)) == pytest.approx(delay, abs=0.01)


@pytest.mark.parametrize("delay", [0.0, 1.0, 2.5, -1.0])
def test_lag_of_a_ramp_is_exact(delay: float) -> None:
    t = np.arange(60.0)
    assert lag_frames(3 * (t - delay), 3 * t) == pytest.approx(delay, abs=1e-9)


def test_lag_of_an_exponential_mean_on_a_ramp() -> None:
    """x̂ += α (x - x̂) follows a ramp (1 - α) / α frames behind."""
    truth = np.concatenate([np.zeros(5), np.arange(200.0)])
    tracked = truth.copy()
    for t in range(1, len(truth)):
        tracked[t] = tracked[t - 1] + 0.4 * (truth[t] - tracked[t - 1])
    assert lag_frames(tracked[100:], truth[100:]) == pytest.approx(1.5, abs=1e-6)


def test_noise_that_is_independent_of_the_motion_makes_no_lag() -> None:
    t = np.arange(300.0)
    noise = np.random.default_rng(3).normal(0, 0.5, (300, 2, 2))
    assert lag_frames(_nod(t - 1.25) + noise, _nod(t)) == pytest.approx(1.25, abs=0.03)


def test_a_lag_beyond_the_search_is_reported_at_its_end() -> None:
    t = np.arange(60.0)
    assert lag_frames(t - 8, t, max_lag=3) == 3
    assert lag_frames(t + 8, t, max_lag=3) == -3


@pytest.mark.parametrize(
    ("tracked", "truth"),
    [
        (np.arange(40.0), np.arange(41.0)),
        (np.arange(23.0), np.arange(23.0)),
        (np.arange(40.0), np.full(40, 2.0)),
        (np.full(40, np.nan), np.arange(40.0)),
    ],
)
def test_lag_refuses_what_has_no_answer(tracked: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"at least|does not move|not finite"):
        lag_frames(tracked, truth)
