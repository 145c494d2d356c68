from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.signals.steady import Steady


def run(values: np.ndarray, *, fps: float = 30.0, play: float = 0.05) -> np.ndarray:
    steady = Steady(np.array([0.8]), np.array([3.0]), np.array([play]))
    return np.array([steady(np.array([value]), index / fps)[0] for index, value in enumerate(values)])


def test_noise_within_the_play_rests() -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, 300)
    assert np.diff(run(noise)[30:]).tolist() == [0.0] * 269
    assert np.abs(np.diff(run(noise, play=0.0))).max() > 0


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_a_step_is_followed_within_a_fifth_of_a_second(fps: float) -> None:
    step = np.concatenate([np.zeros(30), np.ones(60)])
    shown = run(step, fps=fps)
    assert shown[29] == 0
    assert shown[30 + int(0.2 * fps)] > 0.8
    assert shown[-1] == pytest.approx(1, abs=0.06)


def test_the_first_values_pass() -> None:
    assert run(np.array([0.7])).tolist() == [0.7]
