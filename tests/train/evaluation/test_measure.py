"""Conditions of an evaluation: the official frame, other crops, the flip test, attributes, hidden landmarks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.crop import crop_affine, roi_from_points
from startrack.tracker.schemes import COFW_29, IBUG_68, LandmarkScheme, plain_scheme
from startrack.tracker.types import Roi
from startrack.train.evaluation.evaluate import crop_roi, evaluate
from startrack.train.evaluation.measure import EvalConditions, Evaluation
from startrack.train.metrics.protocols import COFW_PROTOCOL, IBUG_300W_PROTOCOL, PLAIN_PROTOCOL, WFLW_PROTOCOL
from startrack.train.report.tables import conditions_text, subset_table
from startrack.train.sets.coco_points import scheme_of_names
from startrack.train.sets.sample import HIDDEN, NOT_ANNOTATED, VISIBLE, DatasetError, Sample
from startrack.train.sets.star_crop import crop_matrix, frame_to_crop, normalise

SPEC = ModelSpec("fake", "points_4", 4, input_size=64, heatmap_size=16, crop_scale=1.25)
SQUARE = np.array([[20.0, 30], [60, 30], [20, 70], [60, 70]])
SIDE = 40.0


def engine(points: np.ndarray, spec: ModelSpec = SPEC) -> FakeEngine:
    """Says the same crop pixels of every crop."""

    def find(crops: np.ndarray) -> LandmarkBatch:
        count, landmarks = len(crops), len(points)
        return LandmarkBatch(
            points=np.tile(points, (count, 1, 1)).astype(np.float32),
            covariance=np.tile(np.eye(2), (count, landmarks, 1, 1)).astype(np.float32),
            score=np.ones((count, landmarks), np.float32),
            presence=np.ones(count, np.float32),
        )

    return FakeEngine(spec, find)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((100, 90, 3), 128, np.uint8))
    return path


def in_crop(sample: Sample, points: np.ndarray, crop: str = "landmarks", spec: ModelSpec = SPEC) -> np.ndarray:
    affine = crop_affine(crop_roi(sample, spec, crop), spec.input_size)  # type: ignore[arg-type]
    return points @ affine[:, :2].T + affine[:, 2]


def test_crops_of_a_face(picture: Path) -> None:
    plain = Sample(picture, SQUARE * [1, 1.5], "test")  # 40 wide, 60 high
    boxed = replace(plain, box=np.array([10.0, 10, 50, 40]))
    square = replace(boxed, roi=Roi(np.array([30.0, 40]), 50.0))
    expected = {
        ("landmarks", "plain"): (40, 75, 75),
        ("landmarks", "square"): (40, 75, 75),
        ("published", "boxed"): (30, 25, 50),
        ("published", "square"): (30, 40, 50),
        ("star", "plain"): (40, 75, 42),
        ("star", "boxed"): (40, 75, 42),
        ("star", "square"): (30, 40, 50),
    }
    samples = {"plain": plain, "boxed": boxed, "square": square}
    for (crop, name), (x, y, side) in expected.items():
        roi = crop_roi(samples[name], SPEC, crop)  # type: ignore[arg-type]
        assert (*roi.centre.tolist(), roi.side) == pytest.approx((x, y, side)), (crop, name)
    with pytest.raises(DatasetError, match=r"grey\.png: its data set publishes no box; expected --crop landmarks"):
        crop_roi(plain, SPEC, "published")


@pytest.mark.parametrize("crop", ["landmarks", "published", "star"])
def test_a_perfect_engine_has_no_error_in_any_crop_and_frame(picture: Path, crop: str) -> None:
    sample = Sample(picture, SQUARE, "test", box=np.array([10.0, 20, 70, 85]))
    for frame in ("plain", "official"):
        conditions = EvalConditions(crop=crop, frame=frame)  # type: ignore[arg-type]
        evaluation = evaluate(engine(in_crop(sample, SQUARE, crop)), [sample], conditions=conditions)
        # STAR's tight square cuts nothing off a square face
        assert evaluation.summary().nme == pytest.approx(0, abs=1e-3)
        figures = json.loads(evaluation.to_json())
        assert (figures["crop"], figures["frame"], figures["flip"]) == (crop, frame, False)


def test_the_official_frame_moves_true_landmarks_to_the_border(picture: Path) -> None:
    """The crop reaches, by pixel borders, from 28 to 68 and from 30 to 70: the landmarks at x = 20 move by 8."""
    roi = Roi(np.array([48.0, 50.0]), SIDE)
    sample = Sample(picture, SQUARE, "test", roi=roi)
    says = engine(in_crop(sample, SQUARE, "published"))
    plain = evaluate(says, [sample], conditions=EvalConditions(crop="published"))
    assert plain.nme[0] == pytest.approx(0, abs=1e-6)
    official = evaluate(says, [sample], conditions=EvalConditions(crop="published", frame="official"))
    # and their box is 32 × 40 then
    off = 8 / np.sqrt(32 * 40)
    np.testing.assert_allclose(official.errors[0], [off, 0, off, 0], atol=1e-6)
    truth = normalise(frame_to_crop(crop_matrix(roi, 64), SQUARE), 64)
    np.testing.assert_allclose(official._clamped_truth()[0], truth, atol=1e-5)


def test_the_official_frame_needs_the_crops(picture: Path) -> None:
    evaluation = evaluate(engine(SQUARE), [Sample(picture, SQUARE, "test")])
    without = replace(evaluation, affines=(), conditions=EvalConditions(frame="official"))
    with pytest.raises(ValueError, match="1 faces, 0 crops: the official frame needs one for each"):
        without.summary()


def test_the_flip_test_mirrors_crop_and_answer(picture: Path) -> None:
    """An engine that always errs to the right errs to both sides in turn: the mean is exact."""
    scheme = scheme_of_names(["left_brow", "right_brow", "left_lip", "right_lip"])
    sample = Sample(picture, SQUARE, "test")
    off = engine(in_crop(sample, SQUARE) + np.array([2.0, 0.0]))
    assert evaluate(off, [sample], scheme=scheme).nme[0] == pytest.approx(2 / 64 * 1.25, rel=1e-4)
    both = evaluate(off, [sample], scheme=scheme, conditions=EvalConditions(flip=True))
    assert both.nme[0] == pytest.approx(0, abs=1e-6)
    # each landmark was 2 crop pixels off on either side: 1 px² of its own and 4 of disagreement
    zoom = 1.25 * SIDE / 64
    np.testing.assert_allclose(both.covariance[0, 0], np.diag([5.0, 1.0]) * zoom**2, rtol=1e-4)
    with pytest.raises(DatasetError, match="no flip test: nothing says which landmarks of points_4 are pairs"):
        evaluate(off, [sample], conditions=EvalConditions(flip=True))


def test_attributes_are_rows_of_the_table(picture: Path) -> None:
    rows = [("pose", "blur"), (), ("blur",)]
    samples = [Sample(picture, SQUARE, "test", entry=str(n), attributes=row) for n, row in enumerate(rows, start=1)]
    evaluation = evaluate(
        engine(in_crop(samples[0], SQUARE)), samples, protocol=replace(WFLW_PROTOCOL, inner=(), normaliser="box")
    )
    assert evaluation.subsets == ("test", "pose", "blur")
    table = [line.split("|")[1:3] for line in subset_table(evaluation).splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in table] == [["test", "3"], ["pose", "1"], ["blur", "2"]]
    assert [sample.entry for sample in evaluation.of_subset("blur").samples] == ["1", "3"]
    assert len(evaluation.of_subset("blur").affines) == 2
    assert list(json.loads(evaluation.to_json())["per_face"]) == [sample.name for sample in samples]


def test_landmarks_that_are_not_annotated_do_not_count(picture: Path) -> None:
    points = SQUARE.copy()
    points[3] = np.nan
    sample = Sample(picture, points, "test", visibility=np.array([VISIBLE, HIDDEN, VISIBLE, NOT_ANNOTATED], np.uint8))
    guess = in_crop(sample, SQUARE)
    guess[1] += [0, 8]  # crop pixels
    guess[3] += 30
    evaluation = evaluate(engine(guess), [sample])
    off = 8 * 1.25 / 64
    np.testing.assert_allclose(evaluation.errors[0], [0, off, 0, np.nan], atol=1e-6)
    assert evaluation.nme[0] == pytest.approx(off / 3)
    visibility = evaluation.by_visibility()
    assert visibility["visible"] == (pytest.approx(0, abs=1e-6), 2)
    assert visibility["hidden"] == (pytest.approx(off), 1)
    figures = json.loads(evaluation.to_json())
    assert figures["per_landmark"] == [pytest.approx(0, abs=1e-3), pytest.approx(100 * off, abs=1e-3), 0, None]
    assert figures["by_visibility"]["hidden"] == {"error": pytest.approx(100 * off, abs=1e-3), "landmarks": 1}
    assert "hidden landmarks: 15.62 (1)" in conditions_text(evaluation)
    assert evaluation.coverage(0.9) == pytest.approx(2 / 3)


def test_what_is_said_below_a_table(picture: Path) -> None:
    sample = Sample(picture, SQUARE, "test")
    conditions = EvalConditions(frame="official", crop="star")
    evaluation = evaluate(engine(in_crop(sample, SQUARE, "star")), [sample], conditions=conditions)
    first, second = conditions_text(evaluation).splitlines()
    assert first.startswith("fake on points: per cent of the box size, errors in the crop, truth clamped")
    assert first.endswith("crops by STAR's square, flip test off")
    assert second.startswith("as the STAR code counts: FR@10 0.00, AUC@10 ")


@pytest.mark.parametrize(
    ("scheme", "protocol", "message"),
    [
        (plain_scheme(4), IBUG_300W_PROTOCOL, "fake: points_4 has no eye corners"),
        (plain_scheme(4), COFW_PROTOCOL, "fake: points_4 has no eyes"),
        (replace(IBUG_68, num_landmarks=4, inter_ocular=(0, 0)), IBUG_300W_PROTOCOL, r"grey: its inter_ocular .* is 0"),
    ],
)
def test_a_face_without_its_normaliser_is_refused(
    picture: Path, scheme: LandmarkScheme, protocol, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        evaluate(engine(SQUARE), [Sample(picture, SQUARE, "test")], scheme=scheme, protocol=protocol)


def test_the_scheme_says_how_it_is_scored(picture: Path) -> None:
    assert evaluate(engine(SQUARE), [Sample(picture, SQUARE, "test")]).protocol is PLAIN_PROTOCOL
    points = np.random.default_rng(3).uniform(20, 60, (29, 2))
    spec = replace(SPEC, scheme=COFW_29.name, num_landmarks=29)
    evaluation: Evaluation = evaluate(engine(points, spec), [Sample(picture, points, "test")])
    assert evaluation.protocol is COFW_PROTOCOL
    assert roi_from_points(points, 1.25).side == pytest.approx(64 / evaluation.affines[0][0, 0])
