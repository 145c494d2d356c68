"""Crops as a model takes them: the tracker's own, in the model's colours, and every point comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import crop_affine, cut_crop, transform_covariance, transform_points
from startrack.tracker.cut import cut_each, cut_for, in_colour_order
from startrack.tracker.types import Roi
from tests.tracker.test_crop import POINTS, ROIS

SPEC = ModelSpec("one", "points_3", 3, input_size=32, heatmap_size=8, crop_scale=1.25)
BGR = replace(SPEC, colour_order="bgr")
LEFT, RIGHT = Roi(np.array([20.0, 30.0]), 24.0, 0.3), Roi(np.array([60.5, 21.25]), 90.0)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (70, 90, 3), np.uint8)


def test_crops_are_those_of_cut_crop() -> None:
    cut = cut_for(SPEC, picture(), [LEFT, RIGHT])
    assert (cut.crops.shape, cut.crops.dtype) == ((2, 32, 32, 3), np.uint8)
    for row, roi in enumerate((LEFT, RIGHT)):
        np.testing.assert_array_equal(cut.affines[row], crop_affine(roi, 32))
        np.testing.assert_array_equal(cut.crops[row], cut_crop(picture(), crop_affine(roi, 32), 32))


def test_a_bgr_model_gets_the_same_crop_with_its_channels_turned() -> None:
    rgb, bgr = (cut_for(spec, picture(), [LEFT, RIGHT]).crops for spec in (SPEC, BGR))
    np.testing.assert_array_equal(bgr, rgb[..., ::-1])
    # torch and CUDA read memory as it lies
    assert bgr.flags.c_contiguous
    np.testing.assert_array_equal(in_colour_order(BGR, bgr), rgb)
    assert in_colour_order(SPEC, rgb) is rgb


def test_each_face_is_cut_from_its_own_picture() -> None:
    cut = cut_each(SPEC, ((picture(seed), LEFT) for seed in (1, 2)))
    for row, seed in enumerate((1, 2)):
        np.testing.assert_array_equal(cut.crops[row], cut_for(SPEC, picture(seed), [LEFT]).crops[0])


@given(ROIS, ROIS, POINTS)
def test_points_come_back(first: Roi, second: Roi, points: np.ndarray) -> None:
    cut = cut_for(SPEC, picture(), [first, second])
    both = np.stack([points, points + 1])
    there = cut.points_into(both)
    np.testing.assert_array_equal(there[1], transform_points(crop_affine(second, 32), points + 1))
    np.testing.assert_allclose(cut.points_back(there), both, atol=1e-5)


def test_covariance_comes_back_in_pixels_of_the_picture() -> None:
    cut = cut_for(SPEC, picture(), [LEFT, RIGHT])
    spread = np.array([[[9.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0, -0.5], [-0.5, 2.0]]])
    there = np.stack([transform_covariance(affine, spread) for affine in cut.affines])
    np.testing.assert_allclose(cut.covariance_back(there), np.stack([spread, spread]), atol=1e-12)
    # the second is 90 pixels in 32, unturned
    np.testing.assert_allclose(cut.covariance_back(np.ones((2, 3, 2, 2)) * np.eye(2))[1, 0], np.eye(2) * (90 / 32) ** 2)


def test_an_unknown_landmark_stays_unknown_and_the_others_do_not() -> None:
    points = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]])
    there = cut_for(SPEC, picture(), [LEFT]).points_into([points])[0]
    assert np.isfinite(there).all(axis=1).tolist() == [True, False, True]


def test_no_face_is_an_empty_batch() -> None:
    cut = cut_for(SPEC, picture(), [])
    assert (cut.crops.shape, cut.affines) == ((0, 32, 32, 3), ())
    assert len(cut.points_back(np.zeros((0, 3, 2)))) == len(cut.points_into([])) == 0


def test_as_many_faces_come_back_as_went_in() -> None:
    with pytest.raises(ValueError, match="shorter"):
        cut_for(SPEC, picture(), [LEFT, RIGHT]).points_back(np.zeros((1, 3, 2)))
