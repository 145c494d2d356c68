"""What a crop is off by, of crops that are off by known amounts; and what a network makes of such crops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.accuracy.crop_errors import NAMES, crop_error, spread
from benchmarks.accuracy.crop_trust import READINGS, measure
from startrack.engines.base import ModelSpec
from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Roi
from startrack.train.validation.crop_trust import Photos
from tests.train.conftest import face_points

FACE = face_points((100, 90), 40)


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_of_error_is_seen_by_itself(name: str) -> None:
    true = roi_from_landmarks(FACE, IBUG_68, 1.25)
    off = {"turn_deg": 7.0, "shift_x": 0.1, "shift_y": -0.05, "log_scale": 0.2}[name]
    shift = true.side * np.array([off if name == f"shift_{axis}" else 0.0 for axis in "xy"])
    roi = Roi(
        true.centre + shift,
        true.side * math.exp(off if name == "log_scale" else 0.0),
        true.angle_rad + math.radians(off if name == "turn_deg" else 0.0),
    )
    expected = [off if each == name else 0.0 for each in NAMES]
    np.testing.assert_allclose(crop_error(FACE, roi, 1.25), expected, atol=1e-9)


def test_the_spread_of_known_errors() -> None:
    found = spread([(1.0, 0.0, 0.0, 0.5), (-1.0, 0.0, 0.0, 0.5)])
    assert found["crops"] == 2
    assert (found["turn_deg"]["mean"], found["turn_deg"]["sigma"]) == (0.0, 1.0)
    assert (found["log_scale"]["mean"], found["log_scale"]["sigma"]) == (0.5, 0.0)
    assert found["turn_deg"]["sizes_50_95_99"] == [1.0, 1.0, 1.0]


def test_a_network_that_answers_with_the_middle_of_its_crop_never_comes_back() -> None:
    spec = ModelSpec("m", "ibug_68", 68, input_size=64, heatmap_size=16, crop_scale=1.25)
    photos = Photos([np.zeros((200, 200, 3), np.uint8)] * 4, np.stack([FACE] * 4), spec)
    # the face as it lies in its own crop, whatever the crop shows
    roi = photos.true_rois[0]
    inside = (FACE - roi.centre) / roi.side * 64 + 31.5
    unit = float(np.linalg.norm(FACE[36] - FACE[45]))
    displacements = (0.05, 0.1, 0.25)
    found = measure(
        photos, lambda crops: np.stack([inside] * len(crops)), unit_N=np.full(4, unit), displacements=displacements
    )
    assert list(found["displaced"]) == ["0.05", "0.1", "0.25"]
    assert found["true_box"] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found["perturbed"][2] == pytest.approx(found["perturbed"][0]) != 0
    for by, moved in found["displaced"].items():
        assert moved["never_percent"] == 100
        assert moved["mean_steps_back"] == READINGS
        assert moved["nme"] == pytest.approx([100 * float(by) * roi.side / unit] * READINGS, rel=1e-3)
