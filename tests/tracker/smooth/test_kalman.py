"""Kalman smoothing: steady at rest, prompt in motion, alike for every size, direction and frame rate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from startrack.tracker.schemes import IBUG_68, SCHEMES
from startrack.tracker.smooth.kalman import CAUSAL, Kalman
from startrack.tracker.types import Landmarks
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)
SIDE = 150.0
COVARIANCE = np.tile(np.diag([2.0, 1.0]), (68, 1, 1))


def landmarks(points: np.ndarray, covariance: np.ndarray = COVARIANCE) -> Landmarks:
    return Landmarks(points, covariance, np.ones(len(points)), 1.0)


def smooth(path: np.ndarray, times_s: np.ndarray | None = None, side: float = SIDE, **covariance) -> np.ndarray:
    """(T, 68, 2) of (T, 68, 2)."""
    smoother = Kalman(IBUG_68)
    times_s = np.arange(len(path)) / 30 if times_s is None else times_s
    return np.array(
        [smoother(landmarks(points, **covariance), t, side).points for points, t in zip(path, times_s, strict=True)]
    )


def test_a_still_face_stays_to_the_hundredth_of_a_pixel() -> None:
    np.testing.assert_allclose(smooth(np.tile(FACE, (60, 1, 1))), np.tile(FACE, (60, 1, 1)), atol=1e-9)


def test_jitter_shrinks_to_a_fifth_on_a_still_face() -> None:
    noisy = FACE + np.random.default_rng(0).normal(0, 0.1, (150, 68, 2))
    steady = smooth(noisy)
    jitter = lambda path: np.diff(path[60:], 2, axis=0).std()  # noqa: E731
    assert jitter(steady) < jitter(noisy) / 5
    assert (steady[60:] - FACE).std() < 0.6 * 0.1


def second_difference(path: np.ndarray) -> np.ndarray:
    """(T - 2,) RMS over the landmarks."""
    return np.sqrt((np.diff(path, 2, axis=0) ** 2).sum(axis=-1).mean(axis=-1))


@pytest.mark.parametrize("seed", range(3))
def test_a_nose_that_a_turning_head_moves_on_the_face_is_followed_without_a_jerk(seed: int) -> None:
    path = np.tile(FACE, (140, 1, 1))
    nose, steady = list(range(27, 36)), list(IBUG_68.steady)
    path[:, nose, 0] += 0.3 * np.clip(np.arange(140) - 60, 0, 20)[:, None]
    noisy = path + np.random.default_rng(seed).normal(0, 0.05, path.shape)
    found = smooth(noisy)
    assert second_difference(found[50:, steady]).max() < 0.7 * second_difference(noisy[50:, steady]).mean()
    lag = (path - found)[60:, nose, 0].mean(axis=1)
    assert lag.max() < 0.8  # under three frames of the turn
    assert abs(lag[-1]) < 0.1


def test_a_still_face_is_steady_a_fifth_of_a_second_after_it_was_first_seen() -> None:
    noisy = FACE + np.random.default_rng(6).normal(0, 0.1, (20, 68, 2))
    assert second_difference(smooth(noisy))[6:].max() < 0.2 * second_difference(noisy).mean()


@pytest.mark.parametrize("seed", range(3))
def test_a_trembling_head_is_calmed_and_one_that_sets_off_is_caught_up_with_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = FACE + np.maximum(np.arange(110) - 80, 0)[:, None, None] * np.array([2.0, -1.0])
    noisy = path + rng.normal(0, 0.1, (110, 1, 2)) + rng.normal(0, 0.1, path.shape)
    found = smooth(noisy)
    assert second_difference(found[40:80]).mean() < second_difference(noisy[40:80]).mean() / 4
    behind = np.linalg.norm((found - path).mean(axis=1), axis=-1)
    assert behind[81:84].max() < 1.0  # of 2.2 px a frame
    assert behind[84:].max() < 0.4


def test_a_steady_motion_of_the_head_is_followed_without_lag_at_any_frame_rate() -> None:
    times_s = np.cumsum(np.random.default_rng(1).choice([0.02, 0.033, 0.1], 80))
    moving = FACE + times_s[:, None, None] * np.array([90.0, -30.0])
    assert np.abs(smooth(moving, times_s)[20:] - moving[20:]).max() < 0.3  # of 3 px a frame


def test_a_blink_keeps_its_depth_and_comes_in_time() -> None:
    rng = np.random.default_rng(2)
    path = np.tile(FACE, (60, 1, 1))
    lids = [37, 38, 43, 44]
    for t, share in zip(range(40, 46), [0.25, 0.75, 1.0, 0.75, 0.25, 0.0], strict=True):
        path[t, lids, 1] += 6.0 * share
    found = smooth(path + rng.normal(0, 0.05, path.shape))
    closed = (found[:, lids, 1] - FACE[lids, 1]).mean(axis=1)
    assert closed.max() > 0.95 * 6.0
    assert closed.argmax() == 42
    assert np.abs(found[50:] - FACE).max() < 0.5


@settings(max_examples=25)
@given(st.floats(0.2, 5), st.floats(-math.pi, math.pi), st.floats(-500, 500), st.floats(-500, 500))
def test_a_clip_that_is_turned_scaled_and_moved_gives_the_same_turned_scaled_and_moved(
    scale: float, angle: float, x: float, y: float
) -> None:
    rng = np.random.default_rng(3)
    path = FACE + np.cumsum(rng.normal(0, 1.5, (12, 1, 2)), axis=0) + rng.normal(0, 0.3, (12, 68, 2))
    covariance = COVARIANCE * rng.uniform(0.5, 2, (68, 1, 1))
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = smooth(path @ turn.T + [x, y], side=SIDE * scale, covariance=turn @ covariance @ turn.T)
    expected = smooth(path, covariance=covariance) @ turn.T + [x, y]
    np.testing.assert_allclose(moved, expected, atol=1e-6 * scale * (1 + abs(x) + abs(y)))


@pytest.mark.parametrize("ratio", [10.0, 20.0])
def test_a_doubtful_landmark_is_held_more_firmly_and_most_along_its_doubt(ratio: float) -> None:
    """A shipped model's variance along a heatmap is up to 10 times that across it, on 40 validation faces."""
    rng = np.random.default_rng(4)
    noisy = FACE + rng.normal(0, 0.1, (200, 68, 2))
    along = COVARIANCE.copy()
    along[:] = np.diag([0.5 * ratio, 0.5])
    left = smooth(noisy, covariance=along)[50:] - FACE
    left -= left.mean(axis=1, keepdims=True)  # the head's own trembling is that of all landmarks
    assert left[..., 0].std() < 0.8 * left[..., 1].std()


def test_a_landmark_that_jumps_is_followed_and_moves_no_other() -> None:
    path = np.tile(FACE, (40, 1, 1))
    path[20:, 5] += [60.0, 0.0]
    found = smooth(path)
    assert np.abs(found[23, 5] - path[23, 5]).max() < 6.0
    off_the_curve = list(range(17, 68))
    assert np.abs(found[:, off_the_curve] - path[:, off_the_curve]).max() < 1.0


def test_a_jaw_that_a_turning_head_moves_is_not_folded() -> None:
    """The points of one side go fast, those of the other stay, as in a head that snaps round."""
    path = np.tile(FACE, (60, 1, 1))
    way = np.linspace(1.0, 0.0, 17) * 25.0
    path[:, :17, 0] += np.clip((np.arange(60) - 30) / 3, 0, 1)[:, None] * way
    noisy = path + np.random.default_rng(7).normal(0, 0.1, path.shape)
    off = (smooth(noisy) - path)[:, :17]
    fold = np.linalg.norm(off - np.median(off, axis=1, keepdims=True), axis=-1).mean(axis=1)
    assert fold.max() < 0.12 * 25.0


@pytest.mark.parametrize("degrees", [4.0, -8.0])
def test_a_face_that_turns_round_and_round_is_followed(degrees: float) -> None:
    angles = np.radians(degrees) * np.arange(180)
    middle = FACE.mean(axis=0)
    turns = np.array([[[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]] for a in angles])
    path = (FACE - middle) @ turns.transpose(0, 2, 1) + middle
    found = smooth(path)
    assert np.abs(found[30:] - path[30:]).max() < 1.0


@pytest.mark.parametrize("fps", [15, 24, 30, 60])
def test_noise_shrinks_and_a_blink_is_kept_at_every_frame_rate(fps: int) -> None:
    times_s = np.arange(3 * fps) / fps
    closing = np.clip(1 - np.abs(times_s - 2.0) / 0.15, 0, 1)
    path = np.tile(FACE, (len(times_s), 1, 1))
    path[:, [37, 38, 43, 44], 1] += 8.0 * closing[:, None]
    noisy = path + np.random.default_rng(fps).normal(0, 0.1, path.shape)
    found = smooth(noisy, times_s)
    still = slice(fps // 2, int(1.8 * fps))
    assert second_difference(found[still]).mean() < second_difference(noisy[still]).mean() / 3
    # at 15 frames a second the whole blink has five frames
    shut = np.abs((found - path)[:, [37, 38, 43, 44], 1].mean(axis=1))
    assert shut.max() < 0.3 * 8.0


def test_a_picture_that_is_repeated_gives_points_that_stay() -> None:
    noisy = FACE + np.random.default_rng(8).normal(0, 0.2, (20, 68, 2))
    path = np.concatenate([noisy, np.repeat(noisy[-1:], 60, axis=0)])
    found = smooth(path)
    assert np.abs(np.diff(found[19:], axis=0)).max() < 0.1
    assert np.abs(found[-1] - noisy[-1]).max() < 1e-3
    assert np.abs(np.diff(found[55:], axis=0)).max() < 0.01


def test_after_a_gap_nothing_from_before_counts() -> None:
    smoother = Kalman(IBUG_68)
    for t in range(10):
        smoother(landmarks(FACE), t / 30, SIDE)
    there = FACE + 3.0
    assert (smoother(landmarks(there), 2.0, SIDE).points == there).all()


def test_input_is_never_written_to_and_the_rest_passes_through() -> None:
    smoother = Kalman(IBUG_68)
    first, second = landmarks(FACE.copy(), COVARIANCE.copy()), landmarks(FACE + 1, COVARIANCE.copy())
    smoother(first, 0.0, SIDE)
    result = smoother(second, 0.033, SIDE)
    smoother(replace(second, points=FACE + 2), 0.066, SIDE)
    assert (first.points == FACE).all()
    assert (first.covariance == COVARIANCE).all()
    assert (second.points == FACE + 1).all()
    assert result.covariance is second.covariance
    assert result.score is second.score
    assert result.unsmoothed is second.points


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_can_be_smoothed(scheme) -> None:
    rng = np.random.default_rng(5)
    smoother = Kalman(scheme, replace(CAUSAL, strength=0.5))
    face = rng.uniform(0, 100, (scheme.num_landmarks, 2))
    covariance = np.tile(np.eye(2) * 4, (scheme.num_landmarks, 1, 1))
    for t in range(5):
        seen = landmarks(face + rng.normal(0, 0.2, face.shape), covariance)
        found = smoother(seen, t / 30, 125.0).points
    assert np.abs(found - face).max() < 1.0
