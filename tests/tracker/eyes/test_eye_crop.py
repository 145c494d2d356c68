"""The crops of eyes: upright, mirrored for the left eye, and back to where they were."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from startrack.engines.base import EyeSpec
from startrack.tracker.crop import invert_affine, transform_points
from startrack.tracker.eyes.crop import EYES, cut_eyes, eye_affine, eye_rois, gaze_back, gaze_into
from startrack.tracker.schemes import IBUG_68

SPEC = EyeSpec("eyes", input_width=64, input_height=48, crop_scale=1.8, least_corners=0.2)


def face(turn: float = 0.0, size: float = 100.0) -> np.ndarray:  # type: ignore[type-arg]
    """(68, 2) a face that mirrors itself, `size` from outer eye corner to outer eye corner, turned by an angle."""
    points = np.zeros((68, 2))
    for side, eye in zip((-1, 1), EYES, strict=True):
        shape = np.array([[50, 0], [40, -6], [28, -6], [19, 1], [28, 5], [40, 5]], np.float64)
        points[list(eye)] = shape * [side, 1]
    points[[48, 54]] = [[-25, 75], [25, 75]]
    cos, sin = math.cos(turn), math.sin(turn)
    return points * size / 100 @ np.array([[cos, sin], [-sin, cos]]) + [200, 150]


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.5, math.pi])
def test_both_eyes_look_the_same_whatever_the_turn(turn: float) -> None:
    points = face(turn)
    rois = eye_rois(SPEC, points)
    crops = [transform_points(eye_affine(SPEC, roi), points[list(eye)]) for roi, eye in zip(rois, EYES, strict=True)]
    upright = [transform_points(eye_affine(SPEC, roi), face()[list(EYES[0])]) for roi in eye_rois(SPEC, face())[:1]]
    for crop in crops:
        assert np.allclose(crop, upright[0], atol=1e-6)
        assert np.allclose((crop[0] + crop[3]) / 2, [31.5, 23.5])
        assert math.isclose(float(np.linalg.norm(crop[3] - crop[0])), 64 / 1.8)
    assert crops[0][0, 0] < crops[0][3, 0], "the nose is on the right"


def test_flip_pairs_are_those_of_the_markup() -> None:
    assert [IBUG_68.flip_order[index] for index in EYES[0]] == list(EYES[1])


def test_points_lengths_and_covariances_come_back() -> None:
    points = face(0.4, 130.0)
    rois = eye_rois(SPEC, points)
    cut = cut_eyes(SPEC, np.zeros((300, 400, 3), np.uint8), rois)
    assert cut.crops.shape == (2, 48, 64, 3)
    lids = np.array([points[list(eye)] for eye in EYES])
    there = np.array([transform_points(one, each) for one, each in zip(cut.affines, lids, strict=True)])
    assert np.allclose(cut.points_back(there), lids)
    assert np.allclose(cut.length_back(np.full(2, 64.0)), [roi.width for roi in rois])
    for roi, affine in zip(rois, cut.affines, strict=True):
        assert np.allclose(invert_affine(affine)[:, :2] @ affine[:, :2], np.eye(2))
        assert (np.linalg.det(affine[:, :2]) < 0) == roi.mirrored
    covariance = np.broadcast_to(np.array([[4.0, 1.0], [1.0, 2.0]]), (2, 6, 2, 2))
    back = cut.covariance_back(covariance)
    for one, inverse in zip(back, cut.inverse_affines, strict=True):
        assert np.allclose(one[0], inverse[:, :2] @ covariance[0, 0] @ inverse[:, :2].T)


def test_gazes_of_a_cut_are_along_the_line_to_the_camera() -> None:
    cut = cut_eyes(SPEC, np.zeros((300, 400, 3), np.uint8), eye_rois(SPEC, face(0.4)))
    gazes = np.array([[0.3, -0.2, -0.9], [-0.1, 0.5, -0.8]])
    alone = [gaze_back(affine, one, np.array([0, 0, 1.0])) for affine, one in zip(cut.affines, gazes, strict=True)]
    assert np.allclose(cut.gaze_back(gazes), alone)


def test_the_markups_bias_is_to_the_pictures_right_for_both_eyes() -> None:
    points = face()
    cut = cut_eyes(SPEC, np.zeros((300, 400, 3), np.uint8), eye_rois(SPEC, points))
    lids = np.array([transform_points(one, points[list(eye)]) for one, eye in zip(cut.affines, EYES, strict=True)])
    biased = replace(SPEC, lid_bias=(1.0, 0.0) * 6)
    moved = cut.lids_back(biased, lids) - cut.lids_back(SPEC, lids)
    assert (moved[..., 0] > 0.5).all()
    assert np.allclose(moved[..., 1], 0)


def test_a_drawn_eye_lands_where_its_landmarks_do() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    points = face(0.3, 200.0)
    for eye in EYES:
        x, y = points[list(eye)].mean(axis=0).round().astype(int)
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    cut = cut_eyes(SPEC, image, eye_rois(SPEC, points))
    for crop, affine, eye in zip(cut.crops, cut.affines, EYES, strict=True):
        rows, columns = np.nonzero(crop[..., 0] > 100)
        there = transform_points(affine, points[list(eye)].mean(axis=0)[None])[0]
        assert np.allclose([columns.mean(), rows.mean()], there, atol=0.7)


def test_an_eye_that_a_turn_foreshortens_keeps_a_crop_of_some_width() -> None:
    points = face()
    points[[36, 37, 38, 39, 40, 41], 0] = points[39, 0]
    right, left = eye_rois(SPEC, points)
    assert right.width >= SPEC.least_corners * 0.6 * 100 * SPEC.crop_scale
    assert left.width == pytest.approx(31.02 * SPEC.crop_scale, rel=1e-2)


@pytest.mark.parametrize("mirrored", [False, True])
def test_gazes_come_back_and_the_camera_lies_ahead(mirrored: bool) -> None:
    roi = eye_rois(SPEC, face(0.5))[1 if mirrored else 0]
    affine, ray = eye_affine(SPEC, roi), np.array([-300.0, 120.0, 900.0])
    gaze = np.array([0.3, -0.2, -0.9])
    gaze /= np.linalg.norm(gaze)
    there = gaze_into(affine, gaze, ray)
    assert np.allclose(gaze_back(affine, there, ray), gaze)
    assert np.allclose(gaze_into(affine, -ray / np.linalg.norm(ray), ray), [0, 0, -1])
    upright = eye_affine(SPEC, eye_rois(SPEC, face())[1 if mirrored else 0])
    right = gaze_into(upright, np.array([0.6, 0, -0.8]), np.array([0, 0, 1.0]))
    assert np.allclose(right, [-0.6 if mirrored else 0.6, 0, -0.8])
