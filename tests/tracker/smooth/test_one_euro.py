from __future__ import annotations

import math

import numpy as np

from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.smooth.one_euro import OneEuro, OneEuroSettings
from startrack.tracker.types import Landmarks


def landmarks(points: np.ndarray) -> Landmarks:
    count = len(points)
    return Landmarks(points, np.tile(np.eye(2), (count, 1, 1)), np.ones(count), 1.0)


def test_two_steps_by_hand() -> None:
    smoother = OneEuro(settings=OneEuroSettings(min_cutoff_hz=1.0, beta=2.0, derivative_cutoff_hz=1.0))
    smoother(landmarks(np.array([[0.0, 0.0]])), 0.0, 50.0)
    result = smoother(landmarks(np.array([[3.0, 4.0]])), 0.1, 50.0)
    share = lambda cutoff: 0.2 * math.pi * cutoff / (1 + 0.2 * math.pi * cutoff)  # noqa: E731
    speed = share(1.0) * (5.0 / 0.1 / 50.0)
    np.testing.assert_allclose(result.points, share(1.0 + 2.0 * speed) * np.array([[3.0, 4.0]]))


def test_noise_shrinks_on_a_still_face_and_motion_is_followed() -> None:
    rng = np.random.default_rng(0)
    smoother = OneEuro()
    still = np.array([smoother(landmarks(100 + rng.normal(0, 0.3, (20, 2))), t / 30, 200.0).points for t in range(90)])
    assert still[30:].std(axis=0).mean() < 0.5 * 0.3
    moving = OneEuro()
    for t in range(60):
        truth = np.full((20, 2), 100 + 4.0 * t)
        got = moving(landmarks(truth), t / 30, 200.0).points
    assert np.abs(got - truth).max() < 4.0


def test_size_and_time_only_matter_in_proportion() -> None:
    rng = np.random.default_rng(2)
    path = np.cumsum(rng.normal(0, 2, (30, 5, 2)), axis=0)
    near, far = OneEuro(), OneEuro()
    for t, points in enumerate(path):
        large = near(landmarks(points * 4), t / 30, 400.0).points
        small = far(landmarks(points), t / 30, 100.0).points
    np.testing.assert_allclose(large, small * 4)


def test_input_is_never_written_to_and_the_rest_passes_through() -> None:
    first, second = landmarks(np.zeros((3, 2))), landmarks(np.ones((3, 2)))
    smoother = OneEuro()
    smoother(first, 0.0, 10.0)
    result = smoother(second, 0.1, 10.0)
    assert (first.points == 0).all()
    assert (second.points == 1).all()
    assert result.covariance is second.covariance
    assert NoSmoothing()(second, 0.0, 1.0) is second
