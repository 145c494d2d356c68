"""Crops for comparing engines: cut as evaluate cuts them, with the truth in their pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import ModelSpec
from startrack.train.evaluation.face_crops import cut_faces
from startrack.train.sets.sample import DatasetError, Sample

SPEC = ModelSpec("fake", "ibug_68", 4, input_size=64, heatmap_size=16, crop_scale=1.25)
CORNERS = np.array([[20.0, 30], [70, 30], [70, 80], [20, 80]])


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A picture that is red on the left of its middle and blue on the right, and a square face around (45, 55)."""
    image = np.zeros((110, 90, 3), np.uint8)
    image[:, :45], image[:, 45:] = (0, 0, 200), (200, 0, 0)  # BGR
    cv2.imwrite(str(tmp_path / "face.png"), image)
    return Sample(tmp_path / "face.png", CORNERS, "test")


def test_the_face_fills_its_share_of_the_crop(sample: Sample) -> None:
    crops, truth = cut_faces([sample, sample], SPEC)
    assert (crops.shape, crops.dtype, truth.dtype) == ((2, 64, 64, 3), np.uint8, np.float32)
    # 50 pixels of the picture, times 1.25, are 64 pixels of the crop, and the centre falls on 31.5
    np.testing.assert_allclose(truth[0], (CORNERS - [45, 55]) * 64 / 62.5 + 31.5, atol=1e-4)
    assert crops[0, 32, 10].tolist() == [200, 0, 0]
    assert crops[1, 32, 50].tolist() == [0, 0, 200]
    bgr, _ = cut_faces([sample], replace(SPEC, colour_order="bgr"))
    np.testing.assert_array_equal(bgr[0], crops[0, ..., ::-1])


def test_a_face_with_an_unknown_landmark_is_cut_by_the_others(sample: Sample) -> None:
    landmarks = np.concatenate([CORNERS, [[np.nan, np.nan]]])
    partly = replace(sample, landmarks=landmarks, visibility=np.array([2, 2, 1, 2, 0], np.uint8))
    crops, truth = cut_faces([partly], replace(SPEC, num_landmarks=5))
    expected_crops, expected = cut_faces([sample], SPEC)
    np.testing.assert_array_equal(crops, expected_crops)
    np.testing.assert_array_equal(truth[0, :4], expected[0])
    assert np.isnan(truth[0, 4]).all()
    nothing = replace(partly, visibility=np.zeros(5, np.uint8))
    with pytest.raises(DatasetError, match="no landmark is annotated; expected one or more"):
        cut_faces([nothing], replace(SPEC, num_landmarks=5))


def test_no_face_is_no_crop() -> None:
    crops, truth = cut_faces([], SPEC)
    assert (crops.shape, truth.shape) == ((0, 64, 64, 3), (0, 4, 2))


def test_landmarks_of_another_number(sample: Sample) -> None:
    with pytest.raises(DatasetError, match=r"landmarks of shape \(4, 2\), fake predicts 68"):
        cut_faces([sample], replace(SPEC, num_landmarks=68))
