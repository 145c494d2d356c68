"""Signals measured against photos or against rendered faces: each alone, and with like results."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.shape import face_shape
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.signals import SignalStage, face_signals, guessed_camera, with_signals
from startrack.tracker.signals.head_pose import head_pose
from startrack.tracker.signals.usual_faces import PHOTO_FACES, RENDERED_FACES, USUAL_FACES, UsualFaces
from startrack.tracker.sinks.crops_sink import aligning_affine
from startrack.tracker.sinks.openseeface_sink import FACE, pack_face
from startrack.tracker.types import FloatArray, Frame, Intrinsics, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.shape.test_face_shape import SPEC
from tests.tracker.signals.test_head_pose import turn

CAMERA = guessed_camera(640, 480)


def frame_of(points: FloatArray) -> TrackedFrame:
    landmarks = Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)
    box = np.array([*points.min(axis=0), *points.max(axis=0)])
    track = Track(0, landmarks, box, Roi(points.mean(axis=0), 150.0), is_first=True)
    return TrackedFrame(Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0), (track,), StageLatency())


@pytest.mark.parametrize("faces", [PHOTO_FACES, RENDERED_FACES])
def test_a_head_is_symmetric_and_measured_by_its_eyes(faces: UsualFaces) -> None:
    points = faces.head.points
    np.testing.assert_allclose(points[IBUG_68.flip_order] * [-1, 1, 1], points, atol=1e-6)
    np.testing.assert_allclose(points[[36, 45]], [[-0.5, 0, 0], [0.5, 0, 0]], atol=1e-6)
    assert faces.head.weights.shape == (51,)
    limits = faces.limits
    assert (limits.least <= limits.usual).all()
    assert (limits.usual <= limits.most).all()
    assert (limits.lowest[:-2] < limits.least[:-2]).all()
    assert (limits.highest > limits.most).all()


def test_both_know_much_the_same_face() -> None:
    photos, renders = PHOTO_FACES, RENDERED_FACES
    assert np.abs(photos.head.points - renders.head.points)[:, :2].max() < 0.1
    assert np.abs(photos.limits.usual - renders.limits.usual).max() < 0.08
    assert (renders.limits.lowest < photos.limits.usual).all()
    assert (photos.limits.usual < renders.limits.highest).all()


@pytest.mark.parametrize("licence", ["research", "free"])
def test_a_pose_is_found_by_its_own_head(licence: str) -> None:
    head = USUAL_FACES[licence].head  # type: ignore[index]
    drawn = (0.3, -0.5, 0.2)
    seen = (head.points @ turn(*drawn).T)[:, :2] * 100 + [320, 240]
    pose = head_pose(seen, CAMERA, head)
    np.testing.assert_allclose(pose.rotation, turn(*drawn), atol=1e-6)
    assert pose.head is head
    place = np.array([30.0, -20.0, 600.0])
    in_space = 90 * head.points @ turn(*drawn).T + place
    camera = Intrinsics(700.0, (319.5, 239.5))
    found = head_pose(camera.centre + 700 * in_space[:, :2] / in_space[:, 2:], camera, head)
    np.testing.assert_allclose(found.rotation, turn(*drawn), atol=1e-4)
    np.testing.assert_allclose(found.position_mm, place, atol=0.1)


@pytest.fixture
def no_photos(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every number that was fitted on photos is gone."""
    arrays = [PHOTO_FACES.head.points, PHOTO_FACES.head.weights]
    arrays += [PHOTO_FACES.limits.usual, PHOTO_FACES.limits.least, PHOTO_FACES.limits.most]
    before = [array.copy() for array in arrays]
    files = {"research": "gone", "free": face_shape.SHAPE_FILES["free"]}
    monkeypatch.setattr(face_shape, "SHAPE_FILES", files)
    face_shape.shape_of.cache_clear()
    for array in arrays:
        array[:] = np.nan
    yield
    for array, values in zip(arrays, before, strict=True):
        array[:] = values
    face_shape.shape_of.cache_clear()


def test_what_is_measured_against_rendered_faces_needs_no_photos(no_photos: None) -> None:
    points = (RENDERED_FACES.head.points @ turn(0.1, 0.25, 0.05).T)[:, :2] * 100 + [320, 240]
    for camera in (None, Intrinsics(700.0, (319.5, 239.5))):
        stage = SignalStage(IBUG_68, camera=camera, faces=RENDERED_FACES)
        (seen,) = with_signals([frame_of(points)], stage)
        (track,) = seen.tracks
        assert track.signals is not None
        assert np.isfinite([*track.signals.blendshapes.values(), *track.signals.values.values()]).all()
        packed = FACE.unpack(pack_face(track, track.signals, seen.frame, 0.0))
        assert np.isfinite(packed).all()
    alone = face_signals(points, CAMERA, RENDERED_FACES)
    assert np.isfinite(list(alone.blendshapes.values())).all()
    assert np.isfinite(alone.pose.rotation).all()
    assert np.isfinite(aligning_affine(points, 112, head=RENDERED_FACES.head)).all()
    rough = np.random.default_rng(3).normal(0, 50, (68, 2)) + 300
    for landmarks, is_face in ((points, True), (rough, False)):
        read = Landmarks(landmarks, np.tile(np.eye(2), (68, 1, 1)), np.full(68, 0.6), 1.0)
        assert Evidence(shapes="free").is_born(read, IBUG_68, SPEC) == is_face
        # without a shape everything passes
        assert Evidence().is_born(read, IBUG_68, SPEC)
