"""Smoothing with look-ahead: every frame once and in order, no lag, less jitter than the causal smoother."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from startrack.tracker.motion.constant_velocity import ConstantVelocity
from startrack.tracker.schemes import IBUG_68, SCHEMES
from startrack.tracker.smooth import all_smoothers, late_smoother_of, smoother_of
from startrack.tracker.smooth.face_filter import Correction, Step
from startrack.tracker.smooth.face_frame import Reading
from startrack.tracker.smooth.fixed_lag import FixedLag, run_back
from startrack.tracker.smooth.kalman import Kalman
from startrack.tracker.smooth.local_fit import quadratic_weights
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import Landmarks
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)
SIDE = 150.0
LIDS = [37, 38, 43, 44]


def landmarks(points: np.ndarray) -> Landmarks:
    covariance = np.tile(np.diag([2.0, 1.0]), (len(points), 1, 1))
    return Landmarks(points, covariance, np.ones(len(points)), 1.0)


def smooth(path: np.ndarray, frames: int = 5, fps: float = 30.0) -> np.ndarray:
    smoother, found = FixedLag(IBUG_68, frames), []
    for t, points in enumerate(path):
        found += smoother.push(landmarks(points), t / fps, SIDE)
    found += smoother.flush()
    assert all(np.array_equal(each.unsmoothed, points) for each, points in zip(found, path, strict=True))
    return np.array([each.points for each in found])


def jitter(path: np.ndarray) -> float:
    return float(np.sqrt((np.diff(path, 2, axis=0) ** 2).mean()))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 12])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_frame_comes_out_once_in_order_and_no_later_than_asked(frames: int, count: int) -> None:
    smoother, out = FixedLag(IBUG_68, frames), []
    marks = [landmarks(FACE + 0.5 * t) for t in range(count)]
    for t, each in enumerate(marks):
        out += smoother.push(each, t / 30, SIDE)
        assert len(out) == max(0, t + 1 - frames)
    out += smoother.flush()
    assert [each.raw_points is one.points for each, one in zip(out, marks, strict=True)] == [True] * count
    assert smoother.flush() == []


def test_a_still_face_stays_exactly() -> None:
    np.testing.assert_allclose(smooth(np.tile(FACE, (40, 1, 1))), np.tile(FACE, (40, 1, 1)), atol=1e-9)


def test_a_still_face_jitters_less_than_with_the_causal_smoother() -> None:
    noisy = FACE + np.random.default_rng(0).normal(0, 0.1, (150, 68, 2))
    causal = Kalman(IBUG_68)
    live = np.array([causal(landmarks(points), t / 30, SIDE).points for t, points in enumerate(noisy)])
    assert jitter(smooth(noisy)[30:]) < 0.8 * jitter(live[30:])


def test_a_head_that_sways_is_followed_without_lag() -> None:
    sway = 30 * np.sin(np.arange(120) / 30 * 2 * np.pi * 1.2)
    path = FACE + sway[:, None, None] * np.array([1.0, 0.3])
    found = smooth(path + np.random.default_rng(1).normal(0, 0.1, path.shape))
    speed, miss = np.gradient(sway), (found - path)[..., 0].mean(axis=1)
    assert abs((speed * miss).sum() / (speed**2).sum()) < 0.05  # frames


@pytest.mark.parametrize("fps", [15.0, 24.0, 30.0, 60.0])
def test_a_blink_keeps_its_depth_and_its_time_at_every_frame_rate(fps: float) -> None:
    times_s = np.arange(round(3 * fps)) / fps
    closing = np.clip(1 - np.abs(times_s - 2.0) / 0.15, 0, 1)
    path = np.tile(FACE, (len(times_s), 1, 1))
    path[:, LIDS, 1] += 8.0 * closing[:, None]
    found = smooth(path + np.random.default_rng(2).normal(0, 0.05, path.shape), fps=fps)
    closed = (found[:, LIDS, 1] - FACE[LIDS, 1]).mean(axis=1)
    assert closed.max() > 0.85 * 8.0
    assert closed.argmax() == round(2 * fps)


def test_a_head_that_snaps_round_is_not_smeared() -> None:
    path = FACE + np.where(np.arange(60) < 30, 0.0, 40.0)[:, None, None] * np.array([1.0, 0.0])
    found = smooth(path)
    assert np.abs(found - path).max() < 0.1 * 40.0


def test_a_repeated_picture_has_the_same_points_each_time() -> None:
    noisy = FACE + np.random.default_rng(3).normal(0, 0.2, (30, 68, 2))
    found = smooth(np.repeat(noisy, 2, axis=0))
    moved = [float(np.abs(first - second).max()) for first, second in pairwise(found)]
    assert np.mean(moved[::2]) < 0.5 * np.mean(moved[1::2])


def test_after_a_gap_nothing_from_before_counts() -> None:
    smoother, out = FixedLag(IBUG_68, 5), []
    for t in range(10):
        out += smoother.push(landmarks(FACE), t / 30, SIDE)
    out += smoother.push(landmarks(FACE + 50), 3.0, SIDE)
    assert len(out) == 10
    np.testing.assert_allclose(out[-1].points, FACE, atol=1e-6)
    np.testing.assert_allclose(smoother.flush()[0].points, FACE + 50, atol=1e-6)


def test_running_back_gives_what_the_textbook_gives() -> None:
    """Rauch, Tung and Striebel (1965), with matrices, for one landmark and its two filters."""
    rng = np.random.default_rng(8)
    noise, begun = np.array([0.3, 0.7]), Reading(0.0, np.zeros(1, complex), np.ones(1), np.zeros(1, complex))
    turned = np.exp(0.4j * np.ones(1))
    filters = ConstantVelocity(noise[None])
    states, steps = np.zeros((1, 2, 2)), []  # of each frame: place and velocity of both filters
    filtered = [np.stack([np.diag([each, 0.0]) for each in noise])]
    predicted: list[np.ndarray] = []
    seen = rng.normal(0, 1, (6, 2)) + np.arange(6)[:, None]
    steps.append(Step(0.0, begun, turned, noise[:1], None, np.zeros(1, complex), filters.pp, filters.pv))
    moves = [np.array([[1.0, 0.1 + 0.02 * t], [0.0, 1.0]]) for t in range(6)]
    for t, move in enumerate(moves):
        filters.predict(move[0, 1], 2.0)
        filters.grow(np.array([[0.5, 0.2]]) * (1 + t % 3))
        predicted.append(covariances(filters))
        expected = states[-1] @ move.T
        innovation = seen[t] - expected[:, 0]
        weight, gain, gain_v = filters.gains(noise[None])
        states = np.concatenate([states, [expected + np.stack([gain[0], gain_v[0]], 1) * innovation[:, None]]])
        filtered.append(covariances(filters))
        place = states[-1][:, 0] @ np.array([1, 1j]) * turned
        correction = Correction(weight * innovation, gain, gain_v)
        steps.append(Step(float(move[0, 1]), begun, turned, noise[:1], correction, place, filters.pp, filters.pv))
    smooth = [states[-1]]
    for t in range(5, -1, -1):
        back = filtered[t] @ moves[t].T @ np.linalg.inv(predicted[t])
        missed = smooth[0] - states[t] @ moves[t].T
        smooth.insert(0, states[t] + (back @ missed[..., None])[..., 0])
    found = np.array(run_back(steps))[:, 0] / turned
    np.testing.assert_allclose(found, [each[:, 0] @ np.array([1, 1j]) for each in smooth], atol=1e-9)


def covariances(filters: ConstantVelocity[np.ndarray]) -> np.ndarray:
    """(2, 2, 2) of both filters."""
    entries = np.stack([filters.pp, filters.pv, filters.pv, filters.vv], axis=-1)
    return entries.reshape(2, 2, 2)


def test_memory_is_bounded() -> None:
    smoother = FixedLag(IBUG_68, 5)
    for t in range(300):
        smoother.push(landmarks(FACE + 0.01 * t), t / 30, SIDE)
    held = [value for value in vars(smoother).values() if isinstance(value, list)]
    assert max(map(len, held)) <= 8


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_can_be_smoothed(scheme) -> None:
    rng = np.random.default_rng(5)
    smoother, found = FixedLag(scheme, 5), []
    face = rng.uniform(0, 100, (scheme.num_landmarks, 2))
    for t in range(20):
        found += smoother.push(landmarks(face + rng.normal(0, 0.2, face.shape)), t / 30, 125.0)
    assert all(np.abs(each.points - face).max() < 1.0 for each in [*found, *smoother.flush()])


def test_quadratic_weights_give_a_quadratic_back_at_uneven_times() -> None:
    times = np.array([0.0, 0.03, 0.07, 0.1, 0.14])
    weights = quadratic_weights(times, 2)
    assert weights.sum() == pytest.approx(1)
    assert weights @ (3 - 2 * times + 50 * times**2) == pytest.approx(3 - 2 * 0.07 + 50 * 0.07**2)
    even = quadratic_weights(np.arange(5.0), 2)
    np.testing.assert_allclose(even, [-0.0794, 0.3175, 0.5238, 0.3175, -0.0794], atol=1e-4)


def test_strength_scales_the_smoothing() -> None:
    noisy = FACE + np.random.default_rng(6).normal(0, 0.2, (60, 68, 2))
    found = []
    for strength in (0.0, 0.1, 1.0):
        for frames in (0, 5):
            smoother, out = late_smoother_of("kalman", frames, strength)(IBUG_68), []
            for t, points in enumerate(noisy):
                out += smoother.push(landmarks(points), t / 30, SIDE)
            found.append(jitter(np.array([each.points for each in [*out, *smoother.flush()]])[20:]))
    assert found[0] == found[1] == jitter(noisy[20:])
    assert found[0] > found[2] > found[4]
    assert found[1] > found[3] > found[5]
    assert smoother_of("kalman", 0.0) is NoSmoothing


@pytest.mark.parametrize(
    ("name", "frames", "strength", "message"),
    [
        ("kalmann", 0, 1.0, "kalmann"),
        ("kalman", -1, 1.0, "-1 frames"),
        ("kalman", 1000, 1.0, "1000 frames"),
        ("one-euro", 5, 1.0, "only 'kalman' looks ahead"),
        ("kalman", 5, -0.5, "strength -0.5"),
        ("kalman", 0, float("nan"), "strength nan"),
    ],
)
def test_what_does_not_exist_is_refused(name: str, frames: int, strength: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        late_smoother_of(name, frames, strength)


def test_every_smoother_has_a_name() -> None:
    assert set(all_smoothers()) == {"kalman", "one-euro", "none", "look-ahead"}
