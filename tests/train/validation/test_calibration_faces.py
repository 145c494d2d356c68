"""What an engine gets wrong is read in crop pixels, and hard faces are hard."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.validation.calibration_faces import read_errors
from startrack.train.validation.hard_crops import CONDITIONS, MOSTLY_HIDDEN, hard_crop

SPEC = ModelSpec("fake", "ibug_68", 68, input_size=64, heatmap_size=16, crop_scale=1.25)
SHAPE = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2))
SHAPE[[0, 16]] = [[0, 0], [1, 1]]  # the bounding box is the unit square
IN_CROP = (SHAPE - 0.5) * 64 / 1.25 + 31.5
SHIFT = np.array([3.0, 4.0])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), np.full((150, 180, 3), (7, 100, 40), np.uint8))
    return [Sample(path, SHAPE * side + [30.5, 21.25], "common") for side in np.linspace(20, 100, 35)]


def engine(seen: list[np.ndarray]) -> FakeEngine:
    """Finds the upright shape SHIFT pixels off."""

    def find(crops: np.ndarray) -> LandmarkBatch:
        seen.append(crops)
        return LandmarkBatch(
            points=np.tile(IN_CROP + SHIFT, (len(crops), 1, 1)).astype(np.float32),
            covariance=np.tile(np.diag([9.0, 1.0]), (len(crops), 68, 1, 1)).astype(np.float32),
            score=np.ones((len(crops), 68), np.float32),
            presence=np.ones(len(crops), np.float32),
        )

    return FakeEngine(SPEC, find)


def test_plain_faces_are_left_as_they_are(samples: list[Sample]) -> None:
    seen: list[np.ndarray] = []
    found = read_errors(engine(seen), samples, CONDITIONS["plain"])
    assert found.hidden is not None
    assert not found.hidden.any()
    np.testing.assert_allclose(found.error, np.tile([-3.0, -4.0], (35, 68, 1)), atol=1e-4)
    np.testing.assert_allclose(found.covariance, np.tile(np.diag([9.0, 1.0]), (35, 68, 1, 1)))
    assert [len(crops) for crops in seen] == [32, 3]
    assert (seen[0] == [40, 100, 7]).all()


def test_turned_faces_are_turned_and_dark_ones_dark(samples: list[Sample]) -> None:
    found = read_errors(engine([]), samples, CONDITIONS["turned"])
    assert np.linalg.norm(found.error + SHIFT, axis=-1).mean() > 2
    again = read_errors(engine([]), samples, CONDITIONS["turned"])
    np.testing.assert_array_equal(again.error, found.error)
    seen: list[np.ndarray] = []
    read_errors(engine(seen), samples, CONDITIONS["dark"])
    assert seen[0].mean() < 0.6 * np.mean([40, 100, 7])


def test_covers_lie_over_the_landmarks_that_are_said_to_be_hidden(samples: list[Sample]) -> None:
    shares = []
    for seed in range(40):
        crop = hard_crop(samples[20], SPEC, CONDITIONS["covered"], samples, seed)
        changed = (np.abs(crop.image.astype(int) - [40, 100, 7]) > 6).any(axis=-1)
        columns, rows = crop.landmarks.round().astype(int).clip(0, 63).T
        # limbs and heads may have the colour of the face itself
        assert not (changed[rows, columns] & ~crop.hidden).sum() > 12
        shares.append(crop.hidden.mean())
    assert 0.05 < np.mean(shares) < 0.5
    most = [hard_crop(samples[20], SPEC, MOSTLY_HIDDEN, samples, seed).hidden.mean() for seed in range(40)]
    assert max(most) > 0.6


def test_faces_that_cannot_be_measured_are_refused(samples: list[Sample]) -> None:
    with pytest.raises(DatasetError, match="fake: no face"):
        read_errors(engine([]), [], CONDITIONS["plain"])
    broken = SHAPE.copy()
    broken[3] = np.nan
    for landmarks in (broken, SHAPE[:5]):
        with pytest.raises(DatasetError, match=r"face\.png: expected 68 landmarks, each with a place"):
            read_errors(engine([]), [Sample(samples[0].path, landmarks, "common")], CONDITIONS["plain"])
