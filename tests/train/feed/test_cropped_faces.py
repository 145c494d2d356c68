"""The faces that a training is watched by: cut as the tracker cuts them, whatever is unknown of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import ModelSpec
from startrack.train.feed.cropped_faces import CroppedFaces
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.sample import Sample

SPEC = ModelSpec("fake", "points_3", 3, input_size=64, heatmap_size=16, crop_scale=1.25)
CORNERS = np.array([[20.0, 30], [70, 30], [70, 80]])


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A picture that is red on the left of its middle and blue on the right, and a face around (45, 55)."""
    image = np.zeros((110, 90, 3), np.uint8)
    image[:, :45], image[:, 45:] = (0, 0, 200), (200, 0, 0)  # BGR
    cv2.imwrite(str(tmp_path / "face.png"), image)
    return Sample(tmp_path / "face.png", CORNERS, "validation")


@pytest.mark.parametrize(("order", "left"), [("rgb", [200, 0, 0]), ("bgr", [0, 0, 200])])
def test_a_face_in_the_models_colours(sample: Sample, order: str, left: list[int]) -> None:
    item = CroppedFaces([sample], replace(SPEC, colour_order=order))[ItemKey(0, 0)]
    assert item.crops[32, 10].tolist() == left
    np.testing.assert_allclose(item.landmarks, (CORNERS - [45, 55]) * 64 / 62.5 + 31.5, atol=1e-4)


def test_a_face_with_an_unknown_landmark_is_cut_by_the_others(sample: Sample) -> None:
    landmarks = np.concatenate([[[np.nan, np.nan]], CORNERS])
    partly = replace(sample, landmarks=landmarks, visibility=np.array([0, 2, 2, 2], np.uint8))
    found = CroppedFaces([partly], replace(SPEC, scheme="points_4", num_landmarks=4))[ItemKey(0, 0)]
    whole = CroppedFaces([sample], SPEC)[ItemKey(0, 0)]
    np.testing.assert_array_equal(found.crops, whole.crops)
    np.testing.assert_array_equal(found.landmarks[1:], whole.landmarks)
    assert found.landmarks[0].isnan().all()
