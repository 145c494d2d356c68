from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.eyes.direction import angles_of, direction_of, line_of_sight, turn_to
from startrack.tracker.signals import guessed_camera
from startrack.tracker.types import Intrinsics

angle = st.floats(-1.4, 1.4)


def test_directions_by_hand() -> None:
    np.testing.assert_allclose(direction_of(np.zeros(2)), [0, 0, -1])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(direction_of(np.array([np.pi / 4, 0.0])), [half, 0, -half], atol=1e-12)
    np.testing.assert_allclose(direction_of(np.array([0.0, np.pi / 4])), [0, half, -half], atol=1e-12)


@given(angle, angle)
def test_angles_and_directions_are_inverse(aside: float, down: float) -> None:
    direction = direction_of(np.array([aside, down]))
    assert np.linalg.norm(direction) == pytest.approx(1)
    np.testing.assert_allclose(angles_of(direction), [aside, down], atol=1e-9)


@given(angle, angle)
def test_a_turn_carries_straight_ahead_onto_its_direction(aside: float, down: float) -> None:
    direction = direction_of(np.array([aside, down]))
    turn = turn_to(direction)
    np.testing.assert_allclose(turn @ [0, 0, -1], direction, atol=1e-9)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)
    # without a roll: what was level stays so
    assert (turn @ [1, 0, 0])[1] == pytest.approx(0, abs=1e-9)


@given(st.floats(-400, 400), st.floats(-300, 300))
def test_an_eye_that_looks_into_the_camera_looks_back_along_the_line(x: float, y: float) -> None:
    camera = Intrinsics(500.0, (319.5, 239.5))
    sight = line_of_sight(camera, np.array([319.5 + x, 239.5 + y]))
    ray = np.array([x, y, 500.0]) / np.linalg.norm([x, y, 500.0])
    np.testing.assert_allclose(sight @ [0, 0, -1], -ray, atol=1e-9)


def test_a_guessed_camera_has_one_line() -> None:
    np.testing.assert_array_equal(line_of_sight(guessed_camera(640, 480), np.array([9.0, 9.0])), np.eye(3))
