from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, plain_scheme
from startrack.tracker.signals import SignalStage, blendshape_names, face_signals, guessed_camera, with_signals
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.types import FaceSignals, Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import angles, turn

RIGHT_UPPER, RIGHT_LOWER = (37, 38), (41, 40)
LEFT_UPPER, LEFT_LOWER = (43, 44), (47, 46)
LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
CAMERA = guessed_camera(640, 480)


def shapes(*moves: tuple[Iterable[int], tuple[float, float]], rotation: np.ndarray | None = None) -> dict[str, float]:
    """Blendshapes of the mean head after moves, compared to the mean head: landmarks, (right, down) in distances of the
    outer eye corners."""
    head = HEAD_68.copy()
    for landmarks, (right, down) in moves:
        head[list(landmarks), :2] += (right, down)
    turned = head if rotation is None else head @ rotation.T
    seen = [HEAD_68[:, :2] * 120 + [300, 200]] * 3 + [turned[:, :2] * 120 + [300, 200]] * 30
    return dict(follow(seen, neutral_s=0.1)[-1].blendshapes)


def follow(seen: Sequence[np.ndarray], *, fps: float = 30.0, neutral_s: float | None = None) -> list[FaceSignals]:
    """Signals of one face, frame by frame. seen: (68, 2) each, frame pixels."""
    stage, found = SignalStage(IBUG_68, neutral_s=neutral_s), []
    for index, points in enumerate(seen):
        landmarks = Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)
        track = Track(0, landmarks, np.zeros(4), Roi(np.zeros(2), 1.0), is_first=index == 0)
        frame = Frame(np.zeros((480, 640, 3), np.uint8), index, index / fps)
        [one] = stage(TrackedFrame(frame, (track,), StageLatency())).tracks
        assert one.signals is not None
        found.append(one.signals)
    return found


def test_the_mean_face_does_next_to_nothing() -> None:
    alone = face_signals(HEAD_68[:, :2] * 120 + [300, 200], CAMERA).blendshapes
    assert {name: value for name, value in alone.items() if value > 0.2} == {}
    assert {name: value for name, value in shapes().items() if value > 0} == {}


def test_names_are_arkits() -> None:
    both = ("eyeBlink", "eyeWide", "eyeSquint", "cheekSquint", "noseSneer", "browOuterUp", "browDown")
    both += ("mouthSmile", "mouthFrown", "mouthStretch", "mouthUpperUp")
    expected = {"jawOpen", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "browInnerUp"}
    expected |= {"mouthRollUpper", "mouthRollLower"}
    assert set(shapes()) == expected | {f"{name}{side}" for name in both for side in ("Left", "Right")}
    assert tuple(shapes()) == blendshape_names()


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("eyeBlinkRight", [(RIGHT_UPPER, (0, 0.04)), (RIGHT_LOWER, (0, -0.04))]),
        ("eyeBlinkLeft", [(LEFT_UPPER, (0, 0.04)), (LEFT_LOWER, (0, -0.04))]),
        ("eyeWideRight", [(RIGHT_UPPER, (0, -0.03))]),
        ("eyeSquintLeft", [(LEFT_LOWER, (0, -0.03))]),
        ("jawOpen", [((*LOWER_LIP, 6, 7, 8, 9, 10), (0, 0.25))]),
        ("mouthPucker", [((48, 59, 60, 49), (0.08, 0)), ((54, 55, 64, 53), (-0.08, 0))]),
        ("mouthLeft", [(range(48, 68), (0.1, 0))]),
        ("mouthRight", [(range(48, 68), (-0.1, 0))]),
        ("mouthRollUpper", [(range(49, 54), (0, 0.06))]),
        ("mouthRollLower", [(range(55, 60), (0, -0.06))]),
        ("mouthSmileRight", [((48, 60), (-0.08, -0.1))]),
        ("mouthFrownLeft", [((54, 64), (0, 0.05))]),
        ("mouthStretchRight", [((48, 60), (-0.08, 0.02))]),
        ("mouthUpperUpLeft", [((51, 52, 53, 62, 63), (0, -0.06))]),
        ("noseSneerRight", [((31, 32), (0, -0.06))]),
        ("browInnerUp", [((20, 21, 22, 23), (0, -0.1))]),
        ("browOuterUpLeft", [((24, 25, 26), (0, -0.1))]),
        ("browDownRight", [((17, 18, 19, 20, 21), (0, 0.06))]),
    ],
)
def test_every_shape_is_seen(name: str, moves: list[tuple[tuple[int, ...], tuple[float, float]]]) -> None:
    assert shapes(*moves)[name] > 0.55
    other = name.replace("Right", "?").replace("Left", "Right").replace("?", "Left")
    if other != name:
        assert shapes(*moves)[other] < 0.1  # the sides are independent


def test_a_smile_with_a_lower_lid_that_rises_lifts_the_cheek() -> None:
    moves = [((48, 60), (-0.08, -0.1)), (RIGHT_LOWER, (0.0, -0.02))]
    assert shapes(*moves)["cheekSquintRight"] > 0.4
    assert shapes(*moves[:1])["cheekSquintRight"] == 0
    assert shapes(*moves[1:])["cheekSquintRight"] == 0


def test_the_own_right_eye_is_on_the_pictures_left() -> None:
    winking = shapes((RIGHT_UPPER, (0, 0.09)))
    assert winking["eyeBlinkRight"] == 1
    assert winking["eyeBlinkLeft"] == 0


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
    [told] = with_signals([frame], SignalStage(IBUG_68))
    assert frame.tracks[0].signals is None
    assert told.frame is frame.frame
    for one in told.tracks:  # two of one id: the same face
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
    [found] = with_signals([frame], SignalStage(WFLW_98))
    plain = replace(track, landmarks=replace(landmarks, points=HEAD_68[:, :2] * 50 + 99, score=np.ones(68)))
    [other] = with_signals([replace(frame, tracks=(plain,))], SignalStage(IBUG_68))
    signals, expected = found.tracks[0].signals, other.tracks[0].signals
    assert expected is not None
    assert signals is not None
    assert dict(signals.values) == dict(expected.values)
    assert dict(signals.blendshapes) == dict(expected.blendshapes)
    np.testing.assert_array_equal(signals.pose.rotation, expected.pose.rotation)
    for scheme in (COFW_29, plain_scheme(98)):
        assert list(with_signals([frame], SignalStage(scheme))) == [frame]
