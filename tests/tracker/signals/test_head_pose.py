from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.signals.head_model import HEAD_68, OUTER_EYES_MM
from startrack.tracker.signals.head_pose import (
    camera_of_view,
    guessed_camera,
    head_pose,
    nearest_turns,
    part_of_turn,
    quaternion,
    without_perspective,
)
from startrack.tracker.types import Intrinsics

angles = st.tuples(st.floats(-0.6, 0.6), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0))

GUESSED = guessed_camera(640, 480)


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
    pose = head_pose(seen(turn(*drawn)), GUESSED)
    np.testing.assert_allclose(pose.rotation, turn(*drawn), atol=1e-9)
    np.testing.assert_allclose(pose.angles_rad, drawn, atol=1e-9)
    assert pose.scale_px == pytest.approx(100)
    np.testing.assert_allclose(pose.origin, [320, 240], atol=1e-9)


@given(angles)
def test_perspective_turns_a_near_head_by_a_few_degrees(drawn: tuple[float, float, float]) -> None:
    found = head_pose(seen(turn(*drawn), away=5.0), GUESSED).rotation
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
    straight = HEAD_68[:, :2] * 64 + [319.5, 239.5]
    # a tenth of the frame's width, and the focal length is that width
    found = head_pose(straight, GUESSED)
    np.testing.assert_allclose(found.position_mm, [0, 0, 10 * OUTER_EYES_MM], atol=1e-6)
    aside = head_pose(straight + np.array([64, -32]), GUESSED)
    np.testing.assert_allclose(aside.position_mm, [90, -45, 900], atol=1e-6)
    np.testing.assert_allclose(aside.matrix[:3, 3], [90, -45, 900], atol=1e-6)
    np.testing.assert_allclose(aside.matrix[:3, :3], aside.rotation)
    assert aside.matrix[3].tolist() == [0, 0, 0, 1]


@given(angles, st.tuples(st.floats(-300, 300), st.floats(-200, 200), st.floats(320, 3000)))
def test_a_known_camera_gives_the_pose_in_perspective(
    drawn: tuple[float, float, float], place: tuple[float, float, float]
) -> None:
    """Exactly, at any distance and far from the middle, for a principal point that is not the middle."""
    camera = Intrinsics(700.0, (300.0, 260.0))
    in_space = OUTER_EYES_MM * HEAD_68 @ turn(*drawn).T + place
    points = camera.focal_px * in_space[:, :2] / in_space[:, 2:] + camera.centre
    pose = head_pose(points, camera)
    np.testing.assert_allclose(pose.position_mm, place, atol=0.01)
    np.testing.assert_allclose(pose.rotation, turn(*drawn), atol=1e-4)
    moved = pose.matrix @ [*(OUTER_EYES_MM * HEAD_68[30]), 1]
    np.testing.assert_allclose(camera.focal_px * moved[:2] / moved[2] + camera.centre, points[30], atol=0.01)
    # what is left without perspective is the head in parallel projection
    parallel = (without_perspective(points, pose) - pose.origin) / pose.scale_px
    np.testing.assert_allclose(parallel, HEAD_68 @ pose.rotation[:2].T, atol=1e-3)


def test_landmarks_of_a_guessed_camera_stay_as_they_are() -> None:
    points = seen(turn(0.1, 0.2, 0.3))
    assert without_perspective(points, head_pose(points, GUESSED)) is points


def test_a_face_without_extent_has_a_finite_pose() -> None:
    for camera in (GUESSED, Intrinsics(640.0, (320.0, 240.0))):
        pose = head_pose(np.full((68, 2), 7.0), camera)
        assert np.isfinite(pose.matrix).all()


def test_an_angle_of_view_by_hand() -> None:
    camera = camera_of_view(90.0, 640, 480)
    assert camera.focal_px == pytest.approx(320)
    assert camera.centre == (319.5, 239.5)
    assert not camera.is_guess


@given(angles)
def test_two_halves_of_a_turn_are_the_whole(drawn: tuple[float, float, float]) -> None:
    whole = turn(*drawn)
    np.testing.assert_allclose(part_of_turn(whole, 0.3) @ part_of_turn(whole, 0.7), whole, atol=1e-4)


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


def test_the_nearest_turn_is_the_singular_vectors() -> None:
    """Orthonormal rows nearest to a matrix, from its singular value decomposition."""
    cameras = np.random.default_rng(3).normal(size=(200, 2, 3))
    turns, scales = nearest_turns(cameras)
    left, values, right = np.linalg.svd(cameras, full_matrices=False)
    np.testing.assert_allclose(turns[:, :2], left @ right, atol=1e-9)
    np.testing.assert_allclose(scales, values.mean(axis=1))
    np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_a_camera_that_sees_a_line_gives_finite_numbers() -> None:
    turns, scales = nearest_turns(np.array([[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], np.zeros((2, 3))]))
    assert np.isfinite(turns).all()
    assert scales[1] < 1e-6
