"""The crop rides on the head: similarities found again, motion foretold, a still head at rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.motion.crop_motion import (
    HeadMotion,
    MotionFilter,
    as_complex,
    as_points,
    fit_similarity,
    log_near,
    moved_roi,
    rigid_weights,
    roi_difference,
)
from startrack.tracker.schemes import IBUG_68, SCHEMES
from startrack.tracker.types import Roi
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)


def posed(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    """The face after a similarity about the middle of the frame."""
    a = scale * complex(math.cos(angle), math.sin(angle))
    return as_points(a * (as_complex(FACE) - (200 + 150j)) + complex(200 + x, 150 + y))


def wanted(points: np.ndarray) -> Roi:
    return roi_from_landmarks(points, IBUG_68, 1.25)


def see(motion: HeadMotion, points: np.ndarray, time_s: float) -> None:
    motion.see(points, motion.roi_at(time_s), wanted(points), time_s)


def assert_same(first: Roi, second: Roi, atol: float) -> None:
    np.testing.assert_allclose(first.centre, second.centre, atol=atol)
    assert first.side == pytest.approx(second.side, abs=atol)
    assert math.remainder(first.angle_rad - second.angle_rad, math.tau) == pytest.approx(0, abs=atol / 50)


def test_complex_numbers_and_points_round_trip() -> None:
    np.testing.assert_array_equal(as_points(as_complex(FACE)), FACE)


@given(st.floats(0.3, 3), st.floats(-3, 3), st.floats(-300, 300), st.floats(-300, 300))
def test_a_similarity_is_found_again_in_spite_of_an_open_mouth(s: float, angle: float, x: float, y: float) -> None:
    moved = posed(s, angle, x, y)
    shape = FACE.copy()
    shape[55:60, 1] -= 15.0  # closed where it is open now
    shape[65:68, 1] -= 15.0
    a, b = fit_similarity(as_complex(shape), as_complex(moved), rigid_weights(IBUG_68), rounds=6)
    assert abs(a - s * np.exp(1j * angle)) < 0.02 * s
    whole, _ = fit_similarity(as_complex(FACE), as_complex(moved), rigid_weights(IBUG_68))
    assert abs(whole - s * np.exp(1j * angle)) < 1e-9
    assert abs(a * complex(*FACE[30]) + b - complex(*moved[30])) < 0.5 * s


@given(st.floats(-0.5, 0.5), st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1), st.floats(-3, 3))
def test_moving_a_crop_and_telling_the_difference_are_inverse(
    zoom: float, turn: float, x: float, y: float, angle: float
) -> None:
    roi = Roi(np.array([40.0, 60.0]), 120.0, angle)
    other = moved_roi(roi, complex(zoom, turn), complex(x, y))
    found_turn, found_shift = roi_difference(roi, other)
    assert abs(found_turn - complex(zoom, turn)) < 1e-9
    assert abs(found_shift - complex(x, y)) < 1e-9


def test_a_steady_motion_is_foretold() -> None:
    motion = HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    for t in range(1, 40):
        points = posed(1.01**t, 0.01 * t, 2.0 * t, -1.0 * t)
        if t > 15:
            assert_same(motion.roi_at(t / 30), wanted(points), atol=0.5)
        see(motion, points, t / 30)


def test_a_still_picture_gives_a_still_crop_and_noise_hardly_moves_it() -> None:
    rng = np.random.default_rng(1)
    still, noisy = (HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0) for _ in range(2))
    centres = []
    for t in range(1, 90):
        see(still, FACE, t / 30)
        trembling = FACE + rng.normal(0, 0.1, FACE.shape)
        see(noisy, trembling, t / 30)
        centres.append(noisy.roi_at((t + 1) / 30).centre)
    assert still.roi_at(3.0) is still.roi_at(4.0)
    assert_same(still.roi_at(3.0), wanted(FACE), atol=1e-9)
    steps = np.linalg.norm(np.diff(centres[30:], axis=0), axis=1)
    assert np.median(steps) == 0
    assert steps.max() < 0.3


def test_a_mouth_that_opens_does_not_move_the_crop_but_one_that_stays_open_does() -> None:
    opened = FACE.copy()
    opened[4:13, 1] += 14.0
    opened[55:60, 1] += 14.0
    opened[65:68, 1] += 14.0
    motion = HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    see(motion, opened, 1 / 30)
    turn, shift = roi_difference(wanted(FACE), motion.roi_at(1 / 30))
    assert abs(shift) < 0.03
    for t in range(2, 150):
        see(motion, opened, t / 30)
    turn, shift = roi_difference(wanted(opened), motion.roi_at(5.0))
    assert abs(shift) <= HeadMotion.SHIFT + 1e-3
    assert abs(turn) <= HeadMotion.TURN + 1e-3


def test_a_jump_is_taken_at_once() -> None:
    motion = HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    for t in range(1, 20):
        see(motion, FACE, t / 30)
    there = posed(1.0, 0.0, 40.0, 0.0)
    see(motion, there, 20 / 30)
    assert_same(motion.roi_at(20 / 30), wanted(there), atol=1.0)


def test_irregular_times_are_real_times() -> None:
    rng = np.random.default_rng(2)
    time_s, motion = 0.0, HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    for number in range(60):
        time_s += rng.choice([0.02, 0.033, 0.1])
        points = posed(1.0, 0.0, 60 * time_s, 0.0)
        if number > 30:
            assert_same(motion.roi_at(time_s), wanted(points), atol=0.5)
        see(motion, points, time_s)


def test_the_filter_averages_at_rest_and_lets_go_when_proved_wrong() -> None:
    rng = np.random.default_rng(3)
    motion = MotionFilter(noise=1e-3, acceleration=0.02)
    seen, rest = rng.normal(0, 5e-4, (120, 4)).view(np.complex128), []
    for value in seen:
        motion.update(*value, 1 / 30)
        rest.append(motion.value)
    assert np.abs(rest[60:]).mean() < 0.7 * np.abs(seen).mean()
    assert np.abs(np.diff(rest, axis=0)).mean() < 0.4 * np.abs(np.diff(seen, axis=0)).mean()
    motion.update(0.05 + 0j, 0.05j, 1 / 30)
    np.testing.assert_allclose(motion.value, [0.05, 0.05j], atol=2e-4)


@pytest.mark.parametrize(("length", "part"), [(2.0, 1 / 2), (4.0, 4 / 5), (1.0, 1 / 2)])
def test_with_half_the_haste_a_prediction_is_doubted_half_as_much_as_it_was_wrong(length: float, part: float) -> None:
    motion = MotionFilter(noise=1.0, acceleration=0.0, calm=0.0, haste=0.5)
    wrong = np.array([length + 0j, length * 1j])  # surprise: length² / 2; what was doubted from the first frame on: 1
    motion.update(*wrong, 1 / 30)
    np.testing.assert_allclose(motion.value, part * wrong)


def test_a_noisier_turn_is_averaged_over_more_frames_and_a_step_of_either_is_taken_at_once() -> None:
    rng = np.random.default_rng(1)
    motion = MotionFilter(noise=1e-3, acceleration=0.02, turn_noise=16.0, calm=4.0)
    seen = rng.normal(0, 1e-3, (90, 4)).view(np.complex128)
    rest = []
    for value in seen:
        motion.update(*value, 1 / 30)
        rest.append(motion.value)
    turning, shifting = np.abs(np.diff(rest[30:], axis=0)).mean(axis=0) / np.abs(np.diff(seen[30:], axis=0)).mean(
        axis=0
    )
    assert turning < 0.7 * shifting
    motion.update(0.1 + 0j, 0.1j, 1 / 30)
    np.testing.assert_allclose(motion.value, [0.1, 0.1j], atol=5e-3)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_has_a_rigid_part(scheme) -> None:
    assert (rigid_weights(scheme) == 1).sum() >= 8
    assert len(rigid_weights(scheme)) == scheme.num_landmarks


@pytest.mark.parametrize("degrees", [2, 4, 8, -8])
def test_a_face_that_turns_right_around_keeps_its_crop(degrees: float) -> None:
    motion = HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    for t in range(1, 2 * 360 // abs(degrees)):
        points = posed(1.0, math.radians(degrees * t), 0.0, 0.0)
        if t > 12:
            assert_same(motion.roi_at(t / 30), wanted(points), atol=8.0)
        see(motion, points, t / 30)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_logarithm_near_an_angle(angle: float, near: float) -> None:
    found = log_near(1.5 * np.exp(1j * angle), near)
    assert abs(found.imag - near) <= math.pi + 1e-9
    assert abs(np.exp(found) - 1.5 * np.exp(1j * angle)) < 1e-9


def test_a_fast_motion_is_followed_after_two_leaps() -> None:
    step = 0.3 * wanted(FACE).side
    motion = HeadMotion(IBUG_68, FACE, wanted(FACE), 0.0)
    for t in range(1, 10):
        points = posed(1.0, 0.0, step * t, 0.0)
        if t > 2:
            assert_same(motion.roi_at(t / 30), wanted(points), atol=0.05 * step)
        see(motion, points, t / 30)
