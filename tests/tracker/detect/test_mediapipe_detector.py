"""The MediaPipe detector: its mapping to our boxes everywhere, the real thing where mediapipe is installed."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from startrack.engines.base import EngineError
from startrack.tracker.crop import crop_affine, cut_crop, roi_from_box, roi_from_points, transform_points
from startrack.tracker.detect.fetch import resolve_model
from startrack.tracker.detect.mediapipe_detector import (
    DETECTION_SIDE,
    SHIFT_LIMIT,
    SIDE_LIMITS,
    MediaPipeDetector,
    shape_features,
    shrink,
    to_face_box,
)
from startrack.tracker.types import Frame
from startrack.train.sets import ibug_300w

installed = importlib.util.find_spec("mediapipe") is not None
needs_mediapipe = pytest.mark.skipif(not installed, reason="mediapipe is not installed (extra mediapipe)")

CENTRE = np.array([200.0, 150.0])
KEY_POINTS = CENTRE + np.array([[-22.0, -20], [22, -20], [0, 2], [0, 24], [-45, -12], [45, -12]])
"""A frontal face in a square of 100 px."""
MIRRORED = np.array([1, 0, 2, 3, 5, 4])


def turned(points: np.ndarray, angle: float, about: np.ndarray) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return (points - about) @ np.array([[cos, sin], [-sin, cos]]) + about


def test_a_frontal_face_gives_a_centred_box_below_the_middle_of_mediapipes() -> None:
    box = to_face_box(CENTRE, 100.0, KEY_POINTS, 0.9)
    roi = roi_from_box(box, 1.0)
    assert roi.centre[0] == pytest.approx(CENTRE[0])
    assert 4 < roi.centre[1] - CENTRE[1] < 20
    assert 75 < roi.side < 120
    assert box.score == 0.9
    assert box.eyes is not None
    assert np.allclose(box.eyes, KEY_POINTS[:2])


@pytest.mark.parametrize("angle", [0.5, -2.0, math.pi])
def test_the_box_turns_moves_and_grows_with_the_face(angle: float) -> None:
    points = KEY_POINTS + np.array([3.0, -4.0])  # not quite symmetric
    plain = roi_from_box(to_face_box(CENTRE, 100.0, points, 1.0), 1.0)
    other = roi_from_box(to_face_box(CENTRE, 100.0, turned(points, angle, CENTRE), 1.0), 1.0)
    assert np.allclose(other.centre, turned(plain.centre, angle, CENTRE))
    assert other.side == pytest.approx(plain.side)
    assert math.remainder(other.angle_rad - plain.angle_rad - angle, 2 * math.pi) == pytest.approx(0, abs=1e-9)
    large = roi_from_box(to_face_box(CENTRE * 3, 300.0, points * 3, 1.0), 1.0)
    assert np.allclose(large.centre, plain.centre * 3)
    assert large.side == pytest.approx(plain.side * 3)


def test_the_box_of_the_mirrored_face_is_the_mirrored_box() -> None:
    points = KEY_POINTS + np.random.default_rng(0).normal(0, 4, (6, 2))
    plain = roi_from_box(to_face_box(CENTRE, 100.0, points, 1.0), 1.0)
    flip = np.array([-1.0, 1.0])
    other = roi_from_box(to_face_box(CENTRE * flip, 100.0, points[MIRRORED] * flip, 1.0), 1.0)
    assert np.allclose(other.centre, plain.centre * flip)
    assert other.side == pytest.approx(plain.side)


def test_features_of_a_symmetric_face() -> None:
    odd, even, axes = shape_features(CENTRE, 100.0, KEY_POINTS)
    assert np.allclose(odd, 0)
    assert np.allclose(even, [-0.2, 0.02, 0.24, -0.12, 0.44, 0.9, 1])
    assert np.allclose(axes, np.eye(2))


def test_nonsense_key_points_give_a_box_within_limits() -> None:
    scattered = CENTRE + np.random.default_rng(0).uniform(-500, 500, (6, 2))
    roi = roi_from_box(to_face_box(CENTRE, 100.0, scattered, 0.5), 1.0)
    assert np.abs(roi.centre - CENTRE).max() <= 100 * SHIFT_LIMIT * math.sqrt(2)
    assert SIDE_LIMITS[0] * 99.9 <= roi.side <= SIDE_LIMITS[1] * 100.1


@pytest.mark.parametrize(
    ("shape", "small", "factor"),
    [
        ((720, 1280), (360, 640), 2),
        ((1080, 1920), (360, 640), 3),
        ((721, 1283), (360, 641), 2),
        ((480, 640), (480, 640), 1),
        ((2, 5000), (1, 2500), 2),
    ],
)
def test_shrink(shape: tuple[int, int], small: tuple[int, int], factor: int) -> None:
    picture, found = shrink(np.zeros((*shape, 3), np.uint8))
    assert (picture.shape[:2], found) == (small, factor)
    assert max(small) >= DETECTION_SIDE or factor == 1


def test_without_mediapipe_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if installed:
        pytest.skip("mediapipe is installed")
    with pytest.raises(EngineError, match=r"pip install 'startrack-core\[mediapipe,onnxruntime\]'"):
        MediaPipeDetector(tmp_path / "model.tflite")


@pytest.fixture(scope="module")
def detector() -> Iterator[MediaPipeDetector]:
    try:
        model = resolve_model()
    except EngineError as error:
        pytest.skip(str(error))
    detector = MediaPipeDetector(model)
    yield detector
    detector.close()
    detector.close()
    with pytest.raises(EngineError, match="closed"):
        detector(Frame(np.zeros((64, 64, 3), np.uint8), 0, 0.0))


@needs_mediapipe
def test_a_bad_file_is_named(tmp_path: Path) -> None:
    for name, content in (("missing.tflite", None), ("bad.tflite", b"no model")):
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(EngineError, match=f"{name}: mediapipe"):
            MediaPipeDetector(tmp_path / name)


@needs_mediapipe
def test_no_face_no_box(detector: MediaPipeDetector) -> None:
    assert detector(Frame(np.full((90, 160, 3), 127, np.uint8), 0, 0.0)) == []


@needs_mediapipe
@pytest.mark.data
@pytest.mark.parametrize("zoom", [1, 4])
def test_boxes_fit_the_landmarks_of_training_faces(detector: MediaPipeDetector, data_dir: Path, zoom: int) -> None:
    """Held-back faces; zoomed, the picture is shrunk before detection and the box must come back to the same place."""
    centres, sides = [], []
    for sample in ibug_300w.load(data_dir / "300w", "validation")[::6]:
        affine = crop_affine(roi_from_points(sample.landmarks, 2.0), 400 * zoom)
        points = transform_points(affine, sample.landmarks)
        errors = []
        for box in detector(Frame(cut_crop(sample.read_image(), affine, 400 * zoom), 0, 0.0)):
            found = roi_from_box(box, 1.25)
            true = roi_from_points(points, 1.25, found.angle_rad)
            errors.append((np.linalg.norm(found.centre - true.centre) / true.side, abs(found.side / true.side - 1)))
        if errors:
            centre, side = min(errors)
            centres.append(centre)
            sides.append(side)
    assert len(centres) >= 28
    assert np.mean(centres) < 0.055
    assert np.mean(sides) < 0.07
