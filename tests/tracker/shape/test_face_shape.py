"""The statistical shape of a face: faces are near, other point sets far, in any size, place and turn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import COCO_17, IBUG_68
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.shape.face_shape import FaceShape, shape_of
from startrack.tracker.types import Landmarks
from startrack.train.sets import ibug_300w

SPEC = ModelSpec("made", "ibug_68", 68, 128, 32, 1.25)


def shipped() -> FaceShape:
    shape = shape_of("ibug_68")
    assert shape is not None
    return shape


def mean_face() -> np.ndarray:
    mean = shipped().mean
    return np.stack([mean.real, mean.imag], axis=-1)


def read(points: np.ndarray, score: float) -> Landmarks:
    return Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.full(68, score), 1.0)


@given(st.floats(0.01, 1000), st.floats(-4, 4), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_the_mean_face_is_a_face_wherever_it_lies(size: float, angle: float, x: float, y: float) -> None:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    assert shipped().distance(size * mean_face() @ turn.T + [x, y]) < 0.01


def test_what_is_no_face_is_far() -> None:
    rng = np.random.default_rng(0)
    face = mean_face()
    assert shipped().distance(rng.normal(0, 1, (68, 2))) > 5
    assert shipped().distance(rng.permutation(face)) > 5
    assert shipped().distance(face * [1, -1]) > 1  # upside down is a turn, this is inside out
    folded = face.copy()
    folded[:9] = face[8]
    assert shipped().distance(folded) > 1


def test_a_model_is_stored_and_read_again_and_mirrored_faces_are_as_likely(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    faces = mean_face() + 0.02 * rng.normal(size=(60, 1, 2)) * rng.normal(size=(1, 68, 2))
    model = FaceShape.fit(faces, IBUG_68, modes=4)
    model.save(tmp_path / "shape.npz")
    again = FaceShape.load(tmp_path / "shape.npz")
    for face in faces[:5]:
        assert again.distance(face) == pytest.approx(model.distance(face), abs=1e-3)
        mirrored = (face * [-1, 1])[IBUG_68.flip_order]
        assert model.distance(mirrored) == pytest.approx(model.distance(face), abs=1e-6)


@pytest.mark.data
def test_every_validation_face_is_one(data_dir: Path) -> None:
    faces = ibug_300w.load(data_dir / "300w", "validation")
    distances = [shipped().distance(face.landmarks) for face in faces]
    assert max(distances) < 0.8


def test_a_face_is_believed_by_its_scores_and_then_by_its_shape() -> None:
    evidence, face = Evidence(), mean_face()
    other = np.random.default_rng(2).permutation(face)
    expected = {(0.9, True): True, (0.5, True): True, (0.5, False): False, (0.35, True): False}
    for (score, is_face), born in expected.items():
        landmarks = read(face if is_face else other, score)
        assert evidence.is_born(landmarks, IBUG_68, SPEC) == born
    assert not evidence.is_uncertain(read(face, 0.35), IBUG_68, SPEC)
    assert evidence.is_uncertain(read(face, 0.2), IBUG_68, SPEC)
    assert evidence.is_uncertain(read(other, 0.5), IBUG_68, SPEC)


def test_bodies_and_heights_of_peaks_are_not_doubted() -> None:
    low = read(mean_face(), 0.05)
    assert Evidence().is_born(low, COCO_17, SPEC)
    peaks = ModelSpec("made", "ibug_68", 68, 128, 32, 1.25, decoder="dark")
    assert Evidence().is_born(low, IBUG_68, peaks)
    assert shape_of("no such markup") is None
