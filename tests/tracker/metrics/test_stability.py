"""Jitter and lag on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from startrack.tracker.metrics.stability import (
    delay_frames,
    error_jitter,
    id_switches,
    lag_frames,
    peak_kept,
    second_difference_jitter,
    stability,
    without_offset,
)


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


def _moving_square(steps: list[float]) -> np.ndarray:
    """(T, 4, 2) the corners of a square of side 100 that goes to the right by these steps."""
    corners = np.array([[0.0, 0], [100, 0], [100, 100], [0, 100]])
    return corners + np.cumsum([0.0, *steps])[:, None, None] * np.array([1.0, 0])


def test_fhr_sta_figures_by_hand() -> None:
    truth = _moving_square([2.0, 2.0, 2.0, 2.0])
    tracked = truth + np.array([0.0, 3.0])
    tracked[2] += [0.0, 2.0]
    found = stability(tracked, truth)
    assert found.e1_delay_frames == pytest.approx(0)
    assert found.e2_rmse_percent == pytest.approx((4 * 3 + 5) / 5)  # the face measures 100 px
    assert found.e3_jitter_percent == pytest.approx((1 + 2 + 1) / 3)  # from the neighbours' middle
    # before the bump the chord of frames 0 and 2 is (4, 2): from (2, 0) it is 4 / sqrt(20) away
    assert found.e4_jitter_percent == pytest.approx((2 * 4 / np.sqrt(20) + 2) / 3)


def test_one_frame_late_is_a_delay_of_one() -> None:
    truth = _moving_square([1.0, 3.0, 2.0, 4.0, 1.0])
    late = np.concatenate([truth[:1], truth[:-1]])
    assert stability(late, truth).e1_delay_frames == pytest.approx(1)
    assert delay_frames(late, truth) == pytest.approx(1)
    assert delay_frames((late + truth) / 2, truth) == pytest.approx(0.5)
    assert np.isnan(delay_frames(truth[:1].repeat(5, 0), truth[:1].repeat(5, 0)))


def test_a_peak_that_is_rounded_to_both_sides_alike_is_not_late() -> None:
    def opened(frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """A mouth that opens fast and shuts slowly, as landmarks of a square that moves by it."""
        phase = frames % 20
        height = np.where(phase < 5, np.sin(np.pi * phase / 10), np.cos(np.pi * (phase - 5) / 30))
        return _moving_square(list(np.diff(20 * height)))

    frames = np.arange(200.0)
    truth = opened(frames)
    kernel = np.array([0.25, 0.5, 0.25])
    rounded = truth.copy()
    rounded[1:-1] = sum(weight * truth[at : len(truth) - 2 + at] for at, weight in enumerate(kernel))
    assert delay_frames(rounded, truth) == pytest.approx(0, abs=0.01)
    assert delay_frames(opened(frames - 0.3), truth) == pytest.approx(0.3, abs=0.05)


def test_uneven_speed_is_no_jitter_to_e4_and_none_of_the_error() -> None:
    truth = _moving_square([1.0, 3.0, 2.0, 4.0, 1.0])
    found = stability(truth, truth)
    assert found.e3_jitter_percent > 0.3
    assert found.e4_jitter_percent == pytest.approx(0)
    assert error_jitter(truth, truth) == 0
    tracked = truth.copy()
    tracked[2, :, 1] += 1.0
    assert error_jitter(tracked, truth) == pytest.approx((0.5 + 1 + 0.5) / 4)


def test_gaps_are_not_bridged() -> None:
    truth = _moving_square([2.0] * 9)
    tracked = truth.copy()
    tracked[4] = np.nan
    tracked[5:] += [0.0, 7.0]
    found = stability(tracked, truth)
    assert found.e3_jitter_percent == pytest.approx(0)
    assert found.e2_rmse_percent == pytest.approx(5 * 7 / 9)
    assert delay_frames(tracked, truth) == pytest.approx(0)
    assert np.isnan(stability(np.full_like(truth, np.nan), truth).e2_rmse_percent)


def test_a_constant_offset_in_the_faces_frame_falls_out() -> None:
    rng = np.random.default_rng(4)
    shape = rng.normal(0, 40, (30, 2))
    turns = [
        np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) * s for a, s in ((0, 1), (0.4, 1.3), (-1, 0.7))
    ]
    truth = np.array([shape @ turn.T + [5.0 * t, 9] for t, turn in enumerate(turns)])
    offset = rng.normal(0, 3, (30, 2))
    tracked = truth + np.array([offset @ turn.T for turn in turns])
    np.testing.assert_allclose(without_offset(tracked, truth), truth, atol=1e-9)


def test_peak_of_the_mean_pulse() -> None:
    truth = np.full(60, 5.0)
    for start in (10, 30, 50):  # the third is cut off by the clip's end
        truth[start : start + 5] -= [1, 3, 4, 3, 1]
    assert peak_kept(truth, truth, np.array([10, 30, 50]), 8) == pytest.approx(1)
    half = 7.0 + 0.5 * truth
    half[12] -= 1.0
    half[32] += 1.0  # noise that the mean of two pulses takes out
    assert peak_kept(half, truth, np.array([10, 30, 50]), 8) == pytest.approx(0.5)
    assert np.isnan(peak_kept(half, truth, np.array([50]), 8))
    half[31] = np.nan
    assert peak_kept(half, truth, np.array([10, 30]), 8) == pytest.approx(0.75)


def test_id_switches_by_hand() -> None:
    assert id_switches(np.array([np.nan, 0, 0, np.nan, 0, 2, 2, np.nan, 0])) == 2
    assert id_switches(np.array([np.nan, np.nan])) == 0


def test_figures_refuse_unequal_shapes() -> None:
    with pytest.raises(ValueError, match="equal"):
        stability(np.zeros((5, 3, 2)), np.zeros((4, 3, 2)))
