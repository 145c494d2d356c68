from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.crop import roi_from_box, roi_from_landmarks
from startrack.tracker.detect.five_points import SIDE_LIMITS, box_from_five_points, point_features
from startrack.tracker.schemes import IBUG_68
from startrack.train.sets import ibug_300w

POINTS = np.array([[80.0, 80], [120, 80], [100, 103], [84, 124], [116, 124]])
"""A frontal face."""


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return (points - 100) @ np.array([[cos, sin], [-sin, cos]]) + 100


def test_a_frontal_face() -> None:
    odd, even, spread, axes = point_features(POINTS)
    assert np.allclose(odd, 0)
    assert np.allclose(even * spread, [-22.2, 0.8, 21.8, 40, 32, spread])
    assert np.allclose(axes, np.eye(2))
    roi = roi_from_box(box_from_five_points(POINTS, 0.9), 1.0)
    assert roi.centre[0] == pytest.approx(100)
    assert 100 < roi.centre[1] < 112
    assert 85 < roi.side < 120


@pytest.mark.parametrize("angle", [0.4, -1.5, math.pi])
def test_the_box_turns_with_the_face(angle: float) -> None:
    points = POINTS + np.array([[2.0, 1], [0, 0], [3, 0], [0, 1], [0, 0]])
    plain = roi_from_box(box_from_five_points(points, 1.0), 1.0)
    other = roi_from_box(box_from_five_points(turned(points, angle), 1.0), 1.0)
    assert np.allclose(other.centre, turned(plain.centre, angle))
    assert other.side == pytest.approx(plain.side)
    assert math.remainder(other.angle_rad - plain.angle_rad - angle, 2 * math.pi) == pytest.approx(0, abs=1e-9)


def test_a_mirrored_face_has_the_mirrored_box() -> None:
    points = POINTS + np.random.default_rng(3).normal(0, 3, (5, 2))
    mirrored = (points * [-1, 1])[[1, 0, 2, 4, 3]]
    plain = roi_from_box(box_from_five_points(points, 1.0), 1.0)
    other = roi_from_box(box_from_five_points(mirrored, 1.0), 1.0)
    assert np.allclose(other.centre, plain.centre * [-1, 1])
    assert other.side == pytest.approx(plain.side)


def test_nonsense_points_stay_within_limits() -> None:
    scattered = np.random.default_rng(0).uniform(0, 500, (5, 2))
    spread = point_features(scattered)[2]
    roi = roi_from_box(box_from_five_points(scattered, 0.5), 1.0)
    assert SIDE_LIMITS[0] <= roi.side / spread * 1.0001
    assert roi.side / spread <= SIDE_LIMITS[1] * 1.0001
    assert np.isfinite(box_from_five_points(np.zeros((5, 2)), 0.5).xyxy).all()


@pytest.mark.data
def test_boxes_fit_the_landmarks_of_held_back_faces(data_dir: Path) -> None:
    centres, sides = [], []
    for sample in ibug_300w.load(data_dir / "300w", "validation"):
        p = sample.landmarks
        five = np.stack([p[36:42].mean(axis=0), p[42:48].mean(axis=0), p[30], p[48], p[54]])
        found, true = roi_from_box(box_from_five_points(five, 1.0), 1.0), roi_from_landmarks(p, IBUG_68, 1.0)
        centres.append(float(np.linalg.norm(found.centre - true.centre)) / true.side)
        sides.append(abs(found.side / true.side - 1))
    assert np.mean(centres) < 0.042
    assert np.mean(sides) < 0.055
