from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.signals.head_model import HEAD_68, OUTER_EYES_MM
from startrack.tracker.signals.head_pose import head_pose, position_mm, quaternion
from startrack.tracker.types import HeadPose

angles = st.tuples(st.floats(-0.6, 0.6), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0))


def turn(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Rx · Ry · Rz, from OpenCV's rotation vectors."""
    x, y, z = (
        np.asarray(cv2.Rodrigues(np.array(axis, np.float64))[0]) for axis in ((pitch, 0, 0), (0, yaw, 0), (0, 0, roll))
    )
    return x @ y @ z


def seen(rotation: np.ndarray, *, away: float | None = None) -> np.ndarray:
    """(68, 2) the mean head in a 640×480 frame, 100 px per unit; away: its distance in units for a real camera."""
    head = HEAD_68 @ rotation.T
    scale = 100.0 if away is None else 100 * away / (head[:, 2:] + away)
    return head[:, :2] * scale + [320, 240]


@given(angles)
def test_the_pose_that_was_drawn_is_found(drawn: tuple[float, float, float]) -> None:
    pose = head_pose(seen(turn(*drawn)))
    np.testing.assert_allclose(pose.rotation, turn(*drawn), atol=1e-9)
    np.testing.assert_allclose(pose.angles_rad, drawn, atol=1e-9)
    assert pose.scale_px == pytest.approx(100)
    np.testing.assert_allclose(pose.origin, [320, 240], atol=1e-9)


@given(angles)
def test_perspective_turns_a_near_head_by_a_few_degrees(drawn: tuple[float, float, float]) -> None:
    found = head_pose(seen(turn(*drawn), away=5.0)).rotation
    angle = np.arccos(np.clip((np.trace(found @ turn(*drawn).T) - 1) / 2, -1, 1))
    assert np.degrees(angle) < 7


def test_signs_by_hand() -> None:
    """The nose's tip moves where the face turns to."""
    for angle, axis, sign in ((0, 1, 1), (1, 0, -1)):
        drawn = [0.0, 0.0, 0.0]
        drawn[angle] = 0.3
        moved = seen(turn(*drawn))[30] - seen(np.eye(3))[30]
        assert np.sign(moved[axis]) == sign
    assert seen(turn(0, 0, 0.3))[8, 0] < 320  # chin to the left: the head leans to the right


def test_where_a_head_is() -> None:
    straight = HeadPose(np.eye(3), 64.0, np.array([319.5, 239.5]))
    # a tenth of the frame's width, and the focal length is that width
    np.testing.assert_allclose(position_mm(straight, 640, 480), [0, 0, 10 * OUTER_EYES_MM])
    aside = HeadPose(np.eye(3), 64.0, np.array([319.5 + 64, 239.5 - 32]))
    np.testing.assert_allclose(position_mm(aside, 640, 480), [90, -45, 900])


@given(st.tuples(*[st.floats(-2, 2)] * 3))
def test_quaternions(vector: tuple[float, float, float]) -> None:
    rotation = np.asarray(cv2.Rodrigues(np.array(vector))[0])
    x, y, z, w = quaternion(rotation)
    assert x * x + y * y + z * z + w * w == pytest.approx(1)
    written_out = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    # OpenCV takes a turn of up to 1e-5 rad for none
    np.testing.assert_allclose(written_out, rotation, atol=2e-5)
