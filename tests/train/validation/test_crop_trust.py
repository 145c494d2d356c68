"""Crops that are off, read again and again, by networks whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import crop_affine, roi_from_landmarks, transform_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Roi
from startrack.train.validation.crop_trust import LOG_SCALE, SHIFT, Photos, displaced, perturbed, steps_back
from tests.train.conftest import face_points

SPEC = ModelSpec(name="m", scheme="ibug_68", num_landmarks=68, input_size=64, heatmap_size=16, crop_scale=1.25)


def photos(count: int = 3) -> Photos:
    """Faces on empty pictures: what reads them is told where they are."""
    landmarks = np.stack([face_points((150 + 5 * face, 140), 50) for face in range(count)])
    return Photos([np.zeros((300, 300, 3), np.uint8)] * count, landmarks, SPEC)


class Knowing:
    """A network that finds every face, and moves its answer by a share of how far the crop is off."""

    def __init__(self, faces: Photos, trust: float) -> None:
        self.faces, self.trust, self.rois = faces, trust, list[Roi]()

    def follow(self, rois: list[Roi], readings: int) -> np.ndarray:
        """(R, N, K, 2), by Photos.follow."""
        self.rois = rois
        return self.faces.follow(self, rois, readings)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        answers = []
        for roi, points in zip(self.rois, self.faces.landmarks, strict=True):
            home = roi_from_landmarks(points, IBUG_68, SPEC.crop_scale)
            said = points + self.trust * (roi.centre - home.centre)
            answers.append(transform_points(crop_affine(roi, SPEC.input_size), said))
            assert crops.shape[1:] == (64, 64, 3)
        found = np.stack([points + self.trust * (roi.centre - home_of(points)) for roi, points in self.pairs])
        self.rois = self.faces.next_rois(found)
        return np.stack(answers)

    @property
    def pairs(self) -> list[tuple[Roi, np.ndarray]]:
        return list(zip(self.rois, self.faces.landmarks, strict=True))


def home_of(points: np.ndarray) -> np.ndarray:
    return roi_from_landmarks(points, IBUG_68, SPEC.crop_scale).centre


def test_a_network_that_trusts_its_crop_comes_back_slowly() -> None:
    faces, rng = photos(), np.random.default_rng(1)
    off = displaced(faces.next_rois(faces.landmarks), 0.1, rng)
    sides = np.array([roi.side for roi in off])
    home = np.stack([home_of(points) for points in faces.landmarks])
    for trust, steps in ((0.0, 0), (0.5, 3), (1.0, 6)):
        found = Knowing(faces, trust).follow(off, 6)
        errors = np.linalg.norm(found - faces.landmarks, axis=-1).mean(axis=(1, 2)) / sides.mean()
        # 0.1 of the crop's side at first, and a share `trust` of it with every reading
        np.testing.assert_allclose(errors, 0.1 * trust ** np.arange(1, 7), atol=1e-6)
        centres = np.array([[roi.centre for roi in faces.next_rois(one)] for one in found])
        np.testing.assert_array_equal(steps_back(centres, home, sides, within=0.01), steps)


def test_a_face_that_leaves_again_is_not_back() -> None:
    centres = np.array([[[0.0, 0.0]], [[5.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.5]]])
    assert steps_back(centres, np.zeros((1, 2)), np.array([100.0]), within=0.01).tolist() == [2]
    assert steps_back(centres[:1], np.zeros((1, 2)), np.array([100.0]), within=0.01).tolist() == [0]


def test_crops_are_off_by_as_much_as_is_said() -> None:
    rois = [Roi(np.array([100.0, 50.0]), 40.0, 0.3)] * 4000
    rng = np.random.default_rng(2)
    moved = displaced(rois, 0.15, rng)
    away = np.array([roi.centre - rois[0].centre for roi in moved])
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), 6.0)
    assert {(roi.side, roi.angle_rad) for roi in moved} == {(40.0, 0.3)}
    assert np.abs(away.mean(axis=0)).max() < 0.3
    off = perturbed(rois, rng)
    shifts = np.array([roi.centre - rois[0].centre for roi in off]) / 40
    np.testing.assert_allclose(shifts.std(axis=0), SHIFT, rtol=0.05)
    assert np.log([roi.side / 40 for roi in off]).std() == pytest.approx(LOG_SCALE, rel=0.05)


def test_colours_are_those_of_the_model() -> None:
    red = np.zeros((300, 300, 3), np.uint8)
    red[..., 0] = 255
    for order, channel in (("rgb", 0), ("bgr", 2)):
        faces = replace(photos(1), images=[red], spec=replace(SPEC, colour_order=order))
        seen = []

        def read(crops: np.ndarray, seen: list = seen) -> np.ndarray:
            seen.append(crops)
            return np.zeros((len(crops), 68, 2))

        faces.read(read, faces.true_rois)
        assert seen[0].reshape(-1, 3).argmax(axis=1).tolist() == [channel] * 64 * 64
