"""Fixations rest, saccades pass, shut eyes are bridged, the head turns the gaze with it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given

from startrack.tracker.eyes.direction import angles_of
from startrack.tracker.eyes.eye_motion import HOLD_S, STRAIGHT_SPREAD_RAD, EyeMotion
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.signals.head_pose import guessed_camera, head_pose
from startrack.tracker.types import EyeReadings, Eyes, Intrinsics, Landmarks
from tests.tracker.eyes.made_eyes import readings
from tests.tracker.signals.test_head_pose import angles, turn

GUESS = guessed_camera(640, 480)
HIDDEN = readings(25, visible=(0.0, 0.0))


def marks(rotation: np.ndarray | None = None) -> Landmarks:
    points = (HEAD_68 @ (np.eye(3) if rotation is None else rotation).T)[:, :2] * 64 + [319.5, 239.5]
    return Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)


def follow(reads: Iterable[EyeReadings], motion: EyeMotion | None = None, *, begin_s: float = 0.0) -> list[Eyes]:
    motion, face = motion or EyeMotion(), marks()
    pose = head_pose(face.points, GUESS)
    return [motion(face, read, pose, begin_s + index / 30) for index, read in enumerate(reads)]


def degrees(found: Iterable[Eyes]) -> np.ndarray:
    """(T, 2) to the picture's right and downwards."""
    return np.degrees([angles_of(one.gaze_in_head) for one in found])


def test_the_first_frame_passes_as_it_is() -> None:
    [found] = follow([readings(10, -5)])
    np.testing.assert_allclose(degrees([found]), [[10, -5]], atol=1e-6)
    np.testing.assert_allclose(found.iris, readings().iris, atol=1e-9)
    np.testing.assert_allclose(found.radius, [4, 4])
    assert found.spread_rad == pytest.approx(np.radians(5))
    np.testing.assert_allclose(np.degrees(found.angles_rad), [10, -5], atol=0.2)


def test_a_fixation_rests() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1.0, (90, 2))
    shown = degrees(follow(readings(8 + dx, 3 + dy) for dx, dy in noise))[30:]
    assert shown.std(axis=0).max() < 0.6
    assert np.diff(shown, axis=0).std(axis=0).max() < 0.35 * np.diff(noise, axis=0).std()
    np.testing.assert_allclose(shown.mean(axis=0), [8, 3], atol=0.5)


def test_a_saccade_is_quick() -> None:
    shown = degrees(follow([*[readings()] * 30, *[readings(15)] * 10]))[:, 0]
    assert abs(shown[29]) < 1e-6
    assert shown[30] > 13
    assert shown[32] > 14.5


@given(angles)
def test_the_gaze_is_that_in_the_head_turned_with_the_head(drawn: tuple[float, float, float]) -> None:
    face, read = marks(turn(*drawn)), readings(4, 2)
    pose = head_pose(face.points, GUESS)
    found = EyeMotion()(face, read, pose, 0.0)
    np.testing.assert_allclose(pose.rotation @ found.gaze_in_head, found.gaze, atol=1e-9)
    np.testing.assert_allclose(found.gaze, read.gaze[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.gaze_of_each, axis=1), 1)


def test_eyes_that_look_into_a_known_camera_do_so_from_every_place() -> None:
    camera = Intrinsics(500.0, (319.5, 239.5))
    in_space = HEAD_68 * 90 + [150, 80, 450]
    points = camera.focal_px * in_space[:, :2] / in_space[:, 2:] + camera.centre
    face = Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)
    pose = head_pose(points, camera)
    found = EyeMotion()(face, readings(), pose, 0.0)
    place = np.array([150.0, 80.0, 450.0])
    np.testing.assert_allclose(found.gaze, -place / np.linalg.norm(place), atol=1e-3)


def test_eyes_are_fused_by_their_spread_and_differ_where_they_converge() -> None:
    inward = readings(spread_deg=(2.0, 4.0))
    gaze = np.stack([readings(10).gaze[0], readings(0).gaze[0]])
    read = EyeReadings(
        inward.iris, inward.radius, inward.covariance, inward.visible, inward.openness, gaze, inward.spread_rad
    )
    [found] = follow([read])
    # weights 1/4 and 1/16 of a square degree
    np.testing.assert_allclose(degrees([found]), [[8, 0]], atol=1e-6)
    np.testing.assert_allclose(np.degrees(angles_of(found.gaze_of_each)), [[10, 0], [0, 0]], atol=1e-6)
    # no surer than the eyes are on average
    assert np.radians(2) < found.spread_rad < np.radians(4)


def test_a_shut_eye_does_not_count() -> None:
    one = readings(10, openness=(0.0, 1.0))
    gaze = np.stack([readings(-30).gaze[0], readings(10).gaze[0]])
    read = EyeReadings(one.iris, one.radius, one.covariance, one.visible, one.openness, gaze, one.spread_rad)
    np.testing.assert_allclose(degrees(follow([read])), [[10, 0]], atol=1e-6)


def test_a_blink_is_bridged() -> None:
    shut = readings(0, 20, openness=(0.0, 0.0))
    found = follow([*[readings(12)] * 30, *[shut] * 6, *[readings(12)] * 5])
    np.testing.assert_allclose(degrees(found[20:]), [[12, 0]] * 21, atol=0.3)
    assert found[34].spread_rad > found[29].spread_rad
    assert found[40].spread_rad == pytest.approx(found[29].spread_rad)


def test_a_gaze_that_is_hidden_for_long_fades_and_becomes_unsure() -> None:
    found = follow([*[readings(12)] * 30, *[HIDDEN] * 120])
    assert degrees(found)[30 + int(0.9 * HOLD_S * 30), 0] == pytest.approx(12, abs=1e-6)
    assert degrees(found)[-1, 0] == pytest.approx(0, abs=0.1)
    spreads = [one.spread_rad for one in found]
    assert spreads == sorted(spreads)
    assert spreads[-1] == pytest.approx(STRAIGHT_SPREAD_RAD, rel=0.01)


def test_eyes_that_were_never_seen_look_straight_ahead() -> None:
    [found] = follow([HIDDEN])
    np.testing.assert_allclose(found.gaze_in_head, [0, 0, -1])
    assert found.spread_rad == STRAIGHT_SPREAD_RAD


def test_seconds_of_looking_into_the_camera_give_the_offset() -> None:
    motion = EyeMotion(0.5)
    learning = follow([readings(4, -3)] * 30, motion)
    np.testing.assert_allclose(degrees(learning), 0, atol=1e-6)
    after = follow([readings(14, -3)] * 10, motion, begin_s=1.0)
    np.testing.assert_allclose(degrees(after[-1:]), [[10, 0]], atol=0.3)
    # a loss keeps it
    motion.restart()
    np.testing.assert_allclose(degrees(follow([readings(14, -3)], motion, begin_s=3.0)), [[10, 0]], atol=1e-6)


def test_the_offset_is_the_heads_and_not_the_cameras() -> None:
    """A head that is turned while it looks into the camera has its eyes aside."""
    face, motion = marks(turn(0.0, 0.3, 0.0)), EyeMotion(0.5)
    pose = head_pose(face.points, GUESS)
    found = motion(face, readings(3, 0), pose, 0.0)
    np.testing.assert_allclose(found.gaze, [0, 0, -1], atol=1e-6)


def test_an_iris_rides_on_the_smoothed_corners() -> None:
    raw = marks()
    smooth = Landmarks(raw.points + np.array([2.0, -1.0]), raw.covariance, raw.score, 1.0, raw_points=raw.points)
    found = EyeMotion()(smooth, readings(), head_pose(smooth.points, GUESS), 0.0)
    np.testing.assert_allclose(found.iris, readings().iris + np.array([2.0, -1.0]), atol=1e-9)


def test_an_iris_that_is_hidden_stays_where_it_was_in_the_eye() -> None:
    seen = follow([*[readings()] * 10, readings(iris=((100, 100), (400, 400)), visible=(0.0, 0.0))])
    np.testing.assert_allclose(seen[-1].iris, readings().iris, atol=1e-6)
    np.testing.assert_allclose(seen[-1].visible, [0, 0])
