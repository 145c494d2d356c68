from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, plain_scheme
from startrack.tracker.signals import face_signals, with_signals
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import angles, turn

RIGHT_UPPER, RIGHT_LOWER = (37, 38), (41, 40)
LEFT_UPPER, LEFT_LOWER = (43, 44), (47, 46)


def shapes(*moves: tuple[Iterable[int], tuple[float, float]], rotation: np.ndarray | None = None) -> dict[str, float]:
    """Blendshapes of the mean head after moves: landmarks, (right, down) in distances of the outer eye corners."""
    head = HEAD_68.copy()
    for landmarks, (right, down) in moves:
        head[list(landmarks), :2] += (right, down)
    turned = head if rotation is None else head @ rotation.T
    return dict(face_signals(turned[:, :2] * 120 + [300, 200]).blendshapes)


def test_the_mean_face_does_next_to_nothing() -> None:
    assert {name: value for name, value in shapes().items() if value > 0.2} == {}


def test_names_are_arkits() -> None:
    both = ("eyeBlink", "eyeWide", "mouthSmile", "mouthFrown", "browOuterUp", "browDown")
    expected = {"jawOpen", "mouthPucker", "mouthFunnel", "browInnerUp"}
    assert set(shapes()) == expected | {f"{name}{side}" for name in both for side in ("Left", "Right")}


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("eyeBlinkRight", [(RIGHT_UPPER, (0, 0.04)), (RIGHT_LOWER, (0, -0.04))]),
        ("eyeBlinkLeft", [(LEFT_UPPER, (0, 0.04)), (LEFT_LOWER, (0, -0.04))]),
        ("eyeWideRight", [(RIGHT_UPPER, (0, -0.03)), (RIGHT_LOWER, (0, 0.03))]),
        ("jawOpen", [((55, 56, 57, 58, 59, 65, 66, 67, 6, 7, 8, 9, 10), (0, 0.25))]),
        ("mouthPucker", [((48, 59, 60, 49), (0.1, 0)), ((54, 55, 64, 53), (-0.1, 0)), ((65, 66, 67), (0, -0.05))]),
        ("mouthSmileRight", [((48, 60), (-0.12, -0.1)), ((54, 64), (0.12, -0.1))]),
        ("mouthFrownLeft", [((48, 54), (0, 0.1))]),
        ("browInnerUp", [((20, 21, 22, 23), (0, -0.12))]),
        ("browOuterUpLeft", [((24, 25, 26), (0, -0.12))]),
        ("browDownRight", [((17, 18, 19, 20, 21), (0, 0.12))]),
    ],
)
def test_what_the_face_does_is_told(name: str, moves: list[tuple[tuple[int, ...], tuple[float, float]]]) -> None:
    assert shapes(*moves)[name] > 0.7
    assert shapes()[name] < 0.2


def test_the_own_right_eye_is_on_the_pictures_left() -> None:
    winking = shapes((RIGHT_UPPER, (0, 0.09)))
    assert winking["eyeBlinkRight"] == 1
    assert winking["eyeBlinkLeft"] < 0.2


@given(angles)
def test_a_turned_head_does_the_same(drawn: tuple[float, float, float]) -> None:
    moves = [((55, 56, 57, 58, 59, 65, 66, 67), (0.0, 0.1)), (RIGHT_UPPER, (0.0, 0.05))]
    straight, turned = shapes(*moves), shapes(*moves, rotation=turn(*drawn))
    # the moved landmarks pull at the pose, a little
    assert turned == pytest.approx(straight, abs=0.15)


def test_a_stage_of_the_stream() -> None:
    landmarks = Landmarks(HEAD_68[:, :2] * 50 + 99, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)
    track = Track(7, landmarks, np.zeros(4), Roi(np.zeros(2), 1.0))
    frame = TrackedFrame(Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0), (track, track), StageLatency())
    [told] = with_signals([frame], IBUG_68)
    assert frame.tracks[0].signals is None
    assert told.frame is frame.frame
    for one in told.tracks:
        assert (one.id, one.landmarks) == (7, landmarks)
        assert one.signals is not None
        assert one.signals.pose.scale_px == pytest.approx(50)
        assert one.signals.eyes_open == (1.0, 1.0)
        assert one.signals.mouth_open == one.signals.blendshapes["jawOpen"]


def test_a_markup_with_ibugs_landmarks_among_its_own_has_signals() -> None:
    points = np.full((98, 2), np.nan)
    points[list(WFLW_98.ibug_68)] = HEAD_68[:, :2] * 50 + 99
    landmarks = Landmarks(points, np.tile(np.eye(2), (98, 1, 1)), np.ones(98), 1.0)
    track = Track(7, landmarks, np.zeros(4), Roi(np.zeros(2), 1.0))
    frame = TrackedFrame(Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0), (track,), StageLatency())
    [found] = with_signals([frame], WFLW_98)
    signals, expected = found.tracks[0].signals, face_signals(HEAD_68[:, :2] * 50 + 99)
    assert signals is not None
    assert dict(signals.values) == dict(expected.values)
    assert dict(signals.blendshapes) == dict(expected.blendshapes)
    np.testing.assert_array_equal(signals.pose.rotation, expected.pose.rotation)
    for scheme in (COFW_29, plain_scheme(98)):
        assert list(with_signals([frame], scheme)) == [frame]
