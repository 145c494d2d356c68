"""What the stage remembers of each face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals import SignalStage
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.types import Intrinsics, Landmarks, Track
from tests.tracker.sinks.faces import face, tracked

HIGH_BROWS = np.where(np.isin(np.arange(68), range(20, 24))[:, None], [[0, -0.065]], 0)


def raised(id: int, moved: np.ndarray) -> Track:
    one = face(id)
    points = one.landmarks.points + 64 * moved
    return replace(one, landmarks=replace(one.landmarks, points=points), signals=None)


def brows(stage: SignalStage, moved: np.ndarray, times_s: np.ndarray, *, id: int = 0, is_first: bool = False) -> float:
    value = 0.0
    for time_s in times_s:
        track = replace(raised(id, moved), is_first=is_first)
        [found] = stage(tracked(track, time_s=float(time_s))).tracks
        assert found.signals is not None
        value = found.signals.blendshapes["browInnerUp"]
    return value


def test_high_brows_are_a_persons_own() -> None:
    stage = SignalStage(IBUG_68)
    assert brows(stage, HIGH_BROWS, np.arange(30) / 30) == 0
    # another face of the same frames has its own
    assert brows(stage, 0 * HIGH_BROWS, 1 + np.arange(30) / 30, id=1) == 0
    assert brows(stage, 2 * HIGH_BROWS, 2 + np.arange(30) / 30) > 0.4


def test_a_loss_keeps_the_neutral_face() -> None:
    stage = SignalStage(IBUG_68)
    brows(stage, 0 * HIGH_BROWS, np.arange(30) / 30)
    assert brows(stage, HIGH_BROWS, np.array([1.8]), is_first=True) > 0.4


def test_a_face_gone_for_long_is_forgotten() -> None:
    stage = SignalStage(IBUG_68)
    brows(stage, 0 * HIGH_BROWS, np.arange(30) / 30)
    stage(tracked(time_s=20.0))
    assert brows(stage, HIGH_BROWS, np.array([20.1])) == 0


def test_seconds_that_are_neutral_are_counted_from_each_faces_birth() -> None:
    stage = SignalStage(IBUG_68, neutral_s=0.5)
    brows(stage, 0 * HIGH_BROWS, np.arange(30) / 30)
    assert brows(stage, HIGH_BROWS, 1 + np.arange(600) / 10) > 0.4  # also after a minute
    assert brows(stage, HIGH_BROWS, 61.2 + np.arange(30) / 30, id=1) == 0
    with pytest.raises(ValueError, match="neutral_s 0; expected more than 0 seconds"):
        SignalStage(IBUG_68, neutral_s=0)


def test_a_known_camera_is_used() -> None:
    camera = Intrinsics(500.0, (319.5, 239.5))
    in_space = HEAD_68 * 90 + [0, 0, 450]
    points = camera.focal_px * in_space[:, :2] / in_space[:, 2:] + camera.centre
    landmarks = Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)
    track = replace(face(), landmarks=landmarks)
    [found] = SignalStage(IBUG_68, camera=camera)(tracked(track)).tracks
    assert found.signals is not None
    np.testing.assert_allclose(found.signals.pose.position_mm, [0, 0, 450], atol=0.01)
    np.testing.assert_allclose(found.signals.pose.angles_rad, 0, atol=1e-4)


def test_lids_follow_the_unsmoothed_landmarks() -> None:
    stage = SignalStage(IBUG_68)
    shut = np.zeros((68, 2))
    shut[[37, 38, 43, 44]] = (0, 0.07)
    for index in range(30):
        stage(tracked(raised(0, 0 * shut), time_s=index / 30))
    one = raised(0, 0.5 * shut)
    raw = face(0).landmarks.points + 64 * shut
    sharp = replace(one, landmarks=replace(one.landmarks, raw_points=raw))
    [found] = stage(tracked(sharp, time_s=1.0)).tracks
    assert found.signals is not None
    assert found.signals.blendshapes["eyeBlinkLeft"] > 0.9
    assert found.signals.blendshapes["eyeBlinkRight"] > 0.9
