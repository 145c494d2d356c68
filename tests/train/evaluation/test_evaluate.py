"""evaluate on faces of one shape, where every error is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from startrack.engines.base import EngineError, LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.crop import crop_affine, roi_from_points, transform_points
from startrack.train.evaluation.evaluate import evaluate
from startrack.train.evaluation.measure import Evaluation
from startrack.train.metrics.protocols import IBUG_300W_PROTOCOL
from startrack.train.sets.ibug_300w import load
from startrack.train.sets.sample import DatasetError, Sample

SPEC = ModelSpec("fake", "ibug_68", 68, input_size=64, heatmap_size=16, crop_scale=1.25)
SHAPE = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2))
SHAPE[[0, 16]] = [[0, 0], [1, 1]]  # the bounding box is the unit square
SHAPE[36], SHAPE[45] = [0.3, 0.4], [0.7, 0.4]
IN_CROP = (SHAPE - 0.5) * 64 / 1.25 + 31.5
"""The shape in a crop of 64 pixels with a scale of 1.25."""


def _engine(
    shift: tuple[float, float] = (0.0, 0.0),
    spec: ModelSpec = SPEC,
    see: Callable[[np.ndarray], None] = lambda crops: None,
) -> FakeEngine:
    """Finds the shape `shift` crop pixels off, in every crop, with a spread of 3 and 1 pixels."""

    def find(crops: np.ndarray) -> LandmarkBatch:
        see(crops)
        count = len(crops)
        return LandmarkBatch(
            points=np.tile(IN_CROP + shift, (count, 1, 1)).astype(np.float32),
            covariance=np.tile(np.diag([9.0, 1.0]), (count, 68, 1, 1)).astype(np.float32),
            score=np.full((count, 68), 0.5, np.float32),
            presence=np.arange(count, dtype=np.float32),
        )

    return FakeEngine(spec, find)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Five faces of 20 to 100 pixels, each in a picture of its own colour."""
    faces = []
    for number in range(5):
        path = tmp_path / f"face_{number}.png"
        # OpenCV writes BGR: red is 40 times the number, green 100, blue 7
        cv2.imwrite(str(path), np.full((150, 180, 3), (7, 100, 40 * number), np.uint8))
        landmarks = SHAPE * 20 * (number + 1) + [30.5, 21.25]
        faces.append(Sample(path, landmarks, "common" if number < 3 else "challenging"))
    return faces


def test_a_perfect_engine_has_no_error(samples: list[Sample]) -> None:
    evaluation = evaluate(_engine(), samples)
    np.testing.assert_allclose(evaluation.points, evaluation.truth, atol=1e-4)
    assert evaluation.summary().nme == pytest.approx(0, abs=1e-4)
    assert (evaluation.summary().fr10, evaluation.summary().faces) == (0, 5)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 32])
def test_a_shift_in_the_crop_is_the_same_nme_for_every_face(samples: list[Sample], batch_size: int) -> None:
    evaluation = evaluate(_engine((0.3, -0.4)), samples, batch_size=batch_size)
    # half a crop pixel is 1.25 / 128 of the box, the eyes' corners lie 0.4 of the box apart
    np.testing.assert_allclose(evaluation.nme, 1.25 / 128 / 0.4, rtol=1e-4)
    np.testing.assert_allclose(evaluation.errors, np.full((5, 68), 1.25 / 128 / 0.4), rtol=1e-3)
    # and 0.3 crop pixels to the right are 0.3 · 1.25 · 20 / 64 pixels of the smallest face
    np.testing.assert_allclose((evaluation.points - evaluation.truth)[0, :, 0], 0.3 * 1.25 * 20 / 64, rtol=1e-3)


def test_the_covariance_comes_back_to_the_picture(samples: list[Sample]) -> None:
    covariance = evaluate(_engine(), samples).covariance
    assert covariance.shape == (5, 68, 2, 2)
    for number in range(5):
        zoom = 1.25 * 20 * (number + 1) / 64
        np.testing.assert_allclose(covariance[number], np.tile(np.diag([9, 1]) * zoom**2, (68, 1, 1)), rtol=1e-5)


@pytest.mark.parametrize(("order", "colour"), [("rgb", [0, 100, 7]), ("bgr", [7, 100, 0])])
def test_crops_come_in_the_order_the_engine_asks_for(
    samples: list[Sample], order: Literal["rgb", "bgr"], colour: list[int]
) -> None:
    batches: list[np.ndarray] = []
    evaluate(_engine(spec=replace(SPEC, colour_order=order), see=batches.append), samples, batch_size=2)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    for number, crop in enumerate(np.concatenate(batches)):
        expected = [40 * number if channel == 0 else channel for channel in colour]
        assert crop[32, 32].tolist() == expected


def test_the_coverage_tells_too_small_ellipses(samples: list[Sample]) -> None:
    assert evaluate(_engine((0.0, 1.0)), samples).coverage(0.5) == 1  # 1 px of 1 px: inside 1.18 σ
    wide = evaluate(_engine((0.0, 1.5)), samples)
    assert (wide.coverage(0.5), wide.coverage(0.9)) == (0, 1)
    assert evaluate(_engine((0.0, 2.5)), samples).coverage(0.9) == 0  # outside 2.15 σ


def test_a_subset_keeps_its_own_faces(samples: list[Sample]) -> None:
    evaluation = evaluate(_engine((0.5, 0.0)), samples)
    assert evaluation.subsets == ("common", "challenging")
    hard = evaluation.of_subset("challenging")
    assert [sample.path.stem for sample in hard.samples] == ["face_3", "face_4"]
    np.testing.assert_array_equal(hard.points, evaluation.points[3:])
    np.testing.assert_array_equal(hard.errors, evaluation.errors[3:])
    assert hard.presence.tolist() == [3, 4]
    with pytest.raises(DatasetError, match=r"'pose'.*common, challenging"):
        evaluation.of_subset("pose")


def test_inner_nme_leaves_the_jaw_out(samples: list[Sample]) -> None:
    evaluation = evaluate(_engine(), samples)
    jaw_off = evaluation.points.copy()
    jaw_off[:, :17] += 50.0
    spoiled = replace(evaluation, points=jaw_off)
    assert spoiled.nme.min() > 0.1
    np.testing.assert_allclose(spoiled.inner_nme, evaluation.inner_nme)
    whole = replace(spoiled, protocol=replace(IBUG_300W_PROTOCOL, inner=()))
    np.testing.assert_array_equal(whole.inner_nme, whole.nme)


def test_json_holds_the_figures_and_every_face(samples: list[Sample], tmp_path: Path) -> None:
    evaluation = evaluate(_engine((0.3, -0.4)), samples)
    evaluation.write_json(tmp_path / "result.json")
    figures = json.loads((tmp_path / "result.json").read_text())
    expected = 100 * 1.25 / 128 / 0.4
    assert list(figures)[:8] == ["nme", "fr5", "fr8", "fr10", "auc5", "auc8", "auc10", "faces"]
    assert figures["nme"] == pytest.approx(expected, abs=1e-3)
    assert figures["nme51"] == pytest.approx(expected, abs=1e-3)
    assert figures["auc10"] == pytest.approx(100 - 10 * expected, abs=1e-2)
    assert figures["interval95"] == pytest.approx([expected, expected], abs=1e-3)
    assert (figures["coverage50"], figures["coverage90"]) == (100, 100)
    assert (figures["faces"], figures["model"], figures["protocol"]) == (5, "fake", "300W")
    assert len(figures["per_landmark"]) == 68
    assert figures["subsets"]["challenging"]["faces"] == 2
    assert list(figures["per_face"]) == [sample.name for sample in samples]


def test_an_empty_test_set_is_refused() -> None:
    with pytest.raises(DatasetError, match="fake: no face"):
        evaluate(_engine(), [])


def test_another_markup_is_refused_with_the_file_and_both_numbers(samples: list[Sample]) -> None:
    other = Sample(samples[0].path, np.zeros((98, 2)), "common")
    with pytest.raises(DatasetError, match=r"face_0\.png: landmarks of shape \(98, 2\), fake predicts 68"):
        evaluate(_engine(), [*samples, other])


def test_a_missing_picture_and_a_closed_engine_are_errors(samples: list[Sample]) -> None:
    samples[4].path.unlink()
    with pytest.raises(DatasetError, match=r"face_4\.png"):
        evaluate(_engine(), samples)
    engine = _engine()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        evaluate(engine, samples[:1])


def test_a_landmark_that_is_not_a_number_is_no_result(samples: list[Sample]) -> None:
    evaluation: Evaluation = evaluate(_engine((float("nan"), 0.0)), samples)
    with pytest.raises(ValueError, match="not finite"):
        evaluation.summary()


@pytest.mark.data
def test_the_true_box_of_real_faces_shows_the_face(data_dir: Path) -> None:
    """The official landmarks, put through crop and back, are at their place: an engine that knows them has NME 0."""
    samples = load(data_dir / "300w", "challenging")[:8]
    known = [
        transform_points(crop_affine(roi_from_points(sample.landmarks, 1.25), 64), sample.landmarks)
        for sample in samples
    ]

    def find(crops: np.ndarray) -> LandmarkBatch:
        assert crops.mean() > 10
        return replace(_engine()(crops), points=np.stack(known).astype(np.float32))

    assert evaluate(FakeEngine(SPEC, find), samples).summary().nme < 1e-4
