from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, plain_scheme
from startrack.tracker.signals import SignalStage, blendshape_names, face_signals, guessed_camera, with_signals
from startrack.tracker.signals.expression import LEAST_DEPTH, _undo
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.types import FaceSignals, Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import angles, turn

RIGHT_UPPER, RIGHT_LOWER = (37, 38), (41, 40)
LEFT_UPPER, LEFT_LOWER = (43, 44), (47, 46)
LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
CAMERA = guessed_camera(640, 480)


Moves = list[tuple[Iterable[int], tuple[float, float]]]


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


JAW: Moves = [
    ((48,), (0.03, 0.15)), ((54,), (-0.03, 0.15)), ((60,), (0.02, 0.17)), ((64,), (-0.02, 0.17)),
    ((7,), (-0.03, 0.26)), ((9,), (0.03, 0.26)), ((8,), (0.0, 0.29)), ((49, 53, 61, 63), (0.0, 0.05)),
    ((50, 51, 52, 62), (0.0, 0.03)), ((55, 59), (0.0, 0.3)), ((56, 57, 58, 66), (0.0, 0.38)), ((65, 67), (0.0, 0.34)),
]  # fmt: skip
PUCKER: Moves = [
    ((48, 60), (0.055, -0.02)), ((54, 64), (-0.055, -0.02)), ((49, 61), (0.025, -0.01)), ((53, 63), (-0.025, -0.01)),
    ((50, 51, 52), (0.0, -0.04)), ((59, 67), (0.03, -0.01)), ((55, 65), (-0.03, -0.01)), ((57,), (0.0, 0.02)),
]  # fmt: skip
FUNNEL: Moves = [
    ((48, 60), (0.04, 0.0)), ((54, 64), (-0.04, 0.0)), ((50, 51, 52, 62), (0.0, -0.06)), ((61,), (0.03, -0.02)),
    ((63,), (-0.03, -0.02)), ((56, 57, 58, 66), (0.0, 0.09)), ((65, 67), (0.0, 0.07)), ((55, 59), (0.0, 0.04)),
]  # fmt: skip
ASIDE: Moves = [
    ((48, 49, 50, 51, 57, 58, 59, 60, 61, 67), (0.18, 0)), ((52, 56, 62, 66), (0.15, -0.01)), ((31, 32, 33), (0.07, 0)),
    ((53, 55, 63, 65), (0.11, -0.03)), ((54, 64), (0.07, -0.06)), ((34, 35), (0.055, -0.03)), ((30,), (0.03, -0.01)),
]  # fmt: skip
SMILE: Moves = [
    ((48, 60), (-0.08, -0.12)), ((49, 61), (-0.055, -0.055)), ((59, 67), (-0.045, -0.06)), ((50, 58), (-0.02, -0.035)),
    ((51, 57, 62, 66), (0.0, -0.02)), ((31,), (-0.02, -0.02)),
]  # fmt: skip
UPPER_UP: Moves = [
    ((49, 61), (-0.02, -0.08)), ((50,), (-0.01, -0.07)), ((48, 51, 60, 62), (0.0, -0.045)), ((52, 63), (0.0, -0.025)),
    ((31,), (-0.02, -0.05)), ((32,), (-0.01, -0.02)),
]  # fmt: skip
SNEER: Moves = [
    ((31, 61), (-0.01, -0.07)), ((48, 50, 60), (0.0, -0.065)), ((49,), (-0.01, -0.1)), ((51, 62), (0.0, -0.04)),
    ((32, 52), (0.0, -0.03)), ((19, 20, 21), (0.01, 0.035)),
]  # fmt: skip


def mirrored(moves: Moves) -> Moves:
    return [(tuple(int(IBUG_68.flip_order[k]) for k in marks), (-right, down)) for marks, (right, down) in moves]


@pytest.mark.parametrize(
    ("name", "moves", "least"),
    [
        ("eyeBlinkRight", [(RIGHT_UPPER, (0, 0.04)), (RIGHT_LOWER, (0, -0.04))], 0.55),
        ("eyeBlinkLeft", [(LEFT_UPPER, (0, 0.04)), (LEFT_LOWER, (0, -0.04))], 0.55),
        ("eyeWideRight", [(RIGHT_UPPER, (0, -0.03))], 0.55),
        ("eyeSquintLeft", [(LEFT_LOWER, (0, -0.06))], 0.2),
        ("jawOpen", JAW, 0.7),
        ("mouthPucker", PUCKER, 0.25),
        ("mouthFunnel", FUNNEL, 0.45),
        ("mouthLeft", ASIDE, 0.6),
        ("mouthRight", mirrored(ASIDE), 0.6),
        ("mouthRollUpper", [(range(49, 54), (0, 0.055)), ((61, 62, 63), (0, -0.02))], 0.5),
        ("mouthRollLower", [((55, 59), (0, -0.05)), ((56, 57, 58), (0, -0.095)), ((65, 66, 67), (0, -0.03))], 0.4),
        ("mouthSmileRight", SMILE, 0.45),
        ("mouthSmileLeft", mirrored(SMILE), 0.45),
        ("mouthUpperUpRight", UPPER_UP, 0.3),
        ("noseSneerLeft", mirrored(SNEER), 0.3),
        ("browInnerUp", [((19, 24), (0, -0.03)), ((20, 21, 22, 23), (0, -0.065)), ((27,), (0, -0.04))], 0.4),
        ("browOuterUpLeft", [((26,), (0.01, -0.06)), ((24, 25), (0.02, -0.09)), ((23,), (0.02, -0.07))], 0.4),
        ("browDownRight", [((17, 21), (0.02, 0.015)), ((18, 19, 20), (0.045, 0.04))], 0.15),
    ],
)
def test_every_shape_is_seen(name: str, moves: Moves, least: float) -> None:
    """The moves of the landmarks are those of a head model's shape at its full strength, rounded."""
    found = shapes(*moves)
    assert found[name] > least
    other = name.replace("Right", "?").replace("Left", "Right").replace("?", "Left")
    if other != name:
        assert found[other] < 0.5 * found[name]


def test_a_frown_and_a_stretched_mouth_are_seen_on_both_sides() -> None:
    frown: Moves = [((48,), (-0.02, 0.05)), ((49, 59), (-0.01, 0.02)), ((60,), (-0.02, 0.04))]
    stretch: Moves = [((48, 60), (-0.075, 0.03)), ((49, 59, 61, 67), (-0.035, 0.01)), ((58,), (-0.02, 0.0))]
    for name, moves in (("mouthFrown", frown), ("mouthStretch", stretch)):
        found = shapes(*moves, *mirrored(moves), *moves, *mirrored(moves))  # twice as far as the head model's
        assert found[f"{name}Right"] == pytest.approx(found[f"{name}Left"], abs=0.02)
        assert found[f"{name}Right"] > 0.1


def test_an_open_jaw_neither_frowns_nor_smiles() -> None:
    found = shapes(*JAW)
    others = {name: value for name, value in found.items() if name != "jawOpen" and value > 0.2}
    assert others == {}


def test_a_smile_with_a_lower_lid_that_rises_lifts_the_cheek() -> None:
    lids = [(RIGHT_LOWER, (0.0, -0.03)), (LEFT_LOWER, (0.0, -0.03))]
    both = [*SMILE, *mirrored(SMILE)]
    assert shapes(*both, *lids)["cheekSquintRight"] > shapes(*both)["cheekSquintRight"] + 0.1
    assert shapes()["cheekSquintRight"] == 0


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


def test_a_turn_is_undone_as_by_its_singular_values() -> None:
    """The smaller one of the upper left block is the cosine of the turn, and held at LEAST_DEPTH."""
    rotations = np.array([cv2.Rodrigues(np.array(v))[0] for v in np.random.default_rng(4).uniform(-2, 2, (300, 3))])
    left, values, right = np.linalg.svd(rotations[:, :2, :2])
    assert (values[:, 1] < LEAST_DEPTH).sum() > 30
    expected = left / np.maximum(values, LEAST_DEPTH)[:, None] @ right
    np.testing.assert_allclose(_undo(rotations), expected, atol=1e-9)
    np.testing.assert_allclose(_undo(np.eye(3)[None])[0], np.eye(2))
