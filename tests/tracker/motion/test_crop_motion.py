"""The crop rides on the head: motion predicted, a still head at rest, jumps followed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.motion.crop_motion import HeadMotion, MotionFilter, moved_roi, roi_difference
from startrack.tracker.motion.similarity import MeanShape, as_complex, as_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Roi
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)


def posed(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    """The face after a similarity about the middle of the frame."""
    a = scale * complex(math.cos(angle), math.sin(angle))
    return as_points(a * (as_complex(FACE) - (200 + 150j)) + complex(200 + x, 150 + y))


def requested(points: np.ndarray) -> Roi:
    return roi_from_landmarks(points, IBUG_68, 1.25)


class Follower(HeadMotion):
    """The crop of one face, from landmarks."""

    def __init__(self) -> None:
        self._mean_shape = MeanShape(IBUG_68)
        super().__init__(requested(FACE), 0.0, self._mean_shape.fit(FACE, 0.0))

    def read(self, points: np.ndarray, time_s: float) -> None:
        if not self.see(self._mean_shape.fit(points, time_s), self.roi_at(time_s), requested(points), time_s):
            self._mean_shape.renew()


def assert_same(first: Roi, second: Roi, atol: float) -> None:
    np.testing.assert_allclose(first.centre, second.centre, atol=atol)
    assert first.side == pytest.approx(second.side, abs=atol)
    assert math.remainder(first.angle_rad - second.angle_rad, math.tau) == pytest.approx(0, abs=atol / 50)


@given(st.floats(-0.5, 0.5), st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1), st.floats(-3, 3))
def test_moving_a_crop_and_telling_the_difference_are_inverse(
    zoom: float, turn: float, x: float, y: float, angle: float
) -> None:
    roi = Roi(np.array([40.0, 60.0]), 120.0, angle)
    other = moved_roi(roi, complex(zoom, turn), complex(x, y))
    found_turn, found_shift = roi_difference(roi, other)
    assert abs(found_turn - complex(zoom, turn)) < 1e-9
    assert abs(found_shift - complex(x, y)) < 1e-9


def test_a_steady_motion_is_predicted() -> None:
    motion = Follower()
    for t in range(1, 40):
        points = posed(1.01**t, 0.01 * t, 2.0 * t, -1.0 * t)
        if t > 15:
            assert_same(motion.roi_at(t / 30), requested(points), atol=0.5)
        motion.read(points, t / 30)


def test_a_still_picture_gives_a_still_crop_and_noise_hardly_moves_it() -> None:
    rng = np.random.default_rng(1)
    still, noisy = (Follower() for _ in range(2))
    centres = []
    for t in range(1, 90):
        still.read(FACE, t / 30)
        jittering = FACE + rng.normal(0, 0.1, FACE.shape)
        noisy.read(jittering, t / 30)
        centres.append(noisy.roi_at((t + 1) / 30).centre)
    assert still.roi_at(3.0) is still.roi_at(4.0)
    assert_same(still.roi_at(3.0), requested(FACE), atol=1e-9)
    steps = np.linalg.norm(np.diff(centres[30:], axis=0), axis=1)
    assert np.median(steps) == 0
    assert steps.max() < 0.3


def test_a_mouth_that_opens_does_not_move_the_crop_but_one_that_stays_open_does() -> None:
    opened = FACE.copy()
    opened[4:13, 1] += 14.0
    opened[55:60, 1] += 14.0
    opened[65:68, 1] += 14.0
    motion = Follower()
    motion.read(opened, 1 / 30)
    turn, shift = roi_difference(requested(FACE), motion.roi_at(1 / 30))
    assert abs(shift) < 0.03
    for t in range(2, 150):
        motion.read(opened + 1e-6 * t, t / 30)  # exactly the same points would be the same picture shown again
    turn, shift = roi_difference(requested(opened), motion.roi_at(5.0))
    assert abs(shift) <= HeadMotion.SHIFT + 1e-3
    assert abs(turn) <= HeadMotion.TURN + 1e-3


def test_a_jump_is_taken_at_once() -> None:
    motion = Follower()
    for t in range(1, 20):
        motion.read(FACE, t / 30)
    there = posed(1.0, 0.0, 40.0, 0.0)
    motion.read(there, 20 / 30)
    assert_same(motion.roi_at(20 / 30), requested(there), atol=1.0)


def test_irregular_times_are_real_times() -> None:
    rng = np.random.default_rng(2)
    time_s, motion = 0.0, Follower()
    for number in range(60):
        time_s += rng.choice([0.02, 0.033, 0.1])
        points = posed(1.0, 0.0, 60 * time_s, 0.0)
        if number > 30:
            assert_same(motion.roi_at(time_s), requested(points), atol=0.5)
        motion.read(points, time_s)


def test_the_filter_averages_at_rest_and_takes_a_jump_at_once() -> None:
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


@pytest.mark.parametrize("degrees", [2, 4, 8, -8])
def test_a_face_that_turns_right_around_keeps_its_crop(degrees: float) -> None:
    motion = Follower()
    for t in range(1, 2 * 360 // abs(degrees)):
        points = posed(1.0, math.radians(degrees * t), 0.0, 0.0)
        if t > 12:
            assert_same(motion.roi_at(t / 30), requested(points), atol=8.0)
        motion.read(points, t / 30)


def test_a_fast_motion_is_followed_after_two_leaps() -> None:
    step = 0.3 * requested(FACE).side
    motion = Follower()
    for t in range(1, 10):
        points = posed(1.0, 0.0, step * t, 0.0)
        if t > 2:
            assert_same(motion.roi_at(t / 30), requested(points), atol=0.05 * step)
        motion.read(points, t / 30)
