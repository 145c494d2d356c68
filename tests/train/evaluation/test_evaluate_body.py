"""Evaluation of bodies with an engine that knows the answer, off by a known amount."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.crop import crop_affine, transform_points
from startrack.tracker.schemes import SCHEMES
from startrack.train.evaluation.evaluate_body import BodyEvaluation, coco_results, evaluate_bodies, evaluate_pckh
from startrack.train.sets.body import coco_body, mpii
from startrack.train.sets.body.bodies import Body, roi_of
from startrack.train.sets.sample import DatasetError
from startrack.train.targets.pose import gaussian_targets
from tests.train.made_bodies import make_coco, make_mpii


def knowing(bodies: list[Body], scheme: str, see: Callable[[np.ndarray], np.ndarray] = lambda p: p) -> FakeEngine:
    """An engine that shows each body's landmarks, in the order in which it is asked; mirrored crops follow plain ones.

    Its heatmaps peak at 0.9 at the true landmarks after `see`, in crop pixels."""
    spec = ModelSpec("known", scheme, len(bodies[0].sample.landmarks), 128, 32, 1.4, decoder="dark", presence=False)
    order = SCHEMES[scheme].flip_order
    calls = 0

    def run(crops: np.ndarray) -> LandmarkBatch:
        nonlocal calls
        mirrored = bool(calls % 2)
        calls += 1
        maps = []
        for body in bodies[: len(crops)]:
            points = transform_points(crop_affine(roi_of(body.sample), 128), np.nan_to_num(body.sample.landmarks))
            points = see(points)
            if mirrored:
                points = np.column_stack([127 - points[:, 0], points[:, 1]])[order]
            cells = (points + 0.5) / 4 - 0.5
            maps.append(0.9 * gaussian_targets(cells, np.ones(len(cells), bool), (32, 32), sigma=2).maps)
        count, landmarks = len(crops), spec.num_landmarks
        return LandmarkBatch(
            points=np.zeros((count, landmarks, 2), np.float32),
            covariance=np.zeros((count, landmarks, 2, 2), np.float32),
            score=np.zeros((count, landmarks), np.float32),
            presence=np.ones(count, np.float32),
            heatmaps=np.stack(maps),
        )

    return FakeEngine(spec, run)


def test_pckh_of_a_perfect_and_of_a_shifted_engine(tmp_path: Path) -> None:
    root = make_mpii(tmp_path / "set")
    bodies = mpii.load(root, "valid")
    found = evaluate_pckh(knowing(bodies, "mpii_16"), bodies)
    truth = np.stack([body.sample.landmarks for body in bodies])
    known = np.isfinite(truth)
    np.testing.assert_allclose(found.points[known], truth[known], atol=0.3)
    assert found.figures["PCKh@0.5"] == 100
    np.testing.assert_allclose(found.scores[known[..., 0]], 0.9, atol=0.1)
    # half a head is 9.6 pixels of the picture, 6.1 of the crop
    shifted = evaluate_pckh(knowing(bodies, "mpii_16", lambda points: points + np.array([7.0, 0])), bodies)
    assert shifted.figures["PCKh@0.5"] == 0
    assert json.loads(shifted.to_json())["people"] == 3
    assert "PCKh@0.5" in shifted.to_text().splitlines()[1]
    with pytest.raises(DatasetError, match="head's size"):
        evaluate_bodies(knowing(bodies, "mpii_16"), "mpii", root, split="train")


def test_coco_results_are_scored_and_parted(tmp_path: Path) -> None:
    bodies = coco_body.load(make_coco(tmp_path / "set"), "val")
    double = [bodies[0], bodies[0], bodies[1]]
    points = np.stack([np.nan_to_num(body.sample.landmarks) for body in double])
    scores = np.full((3, 17), 0.5)
    scores[1] = 0.9
    scores[2, 5:] = 0.1  # these do not count
    found = BodyEvaluation("made", tuple(double), points, scores, np.full(3, 4e4), {})
    results = coco_results(found)
    assert [(each["image_id"], each["score"]) for each in results] == [(1, pytest.approx(0.9)), (2, pytest.approx(0.5))]
    assert len(results[0]["keypoints"]) == 51
    assert results[0]["keypoints"][2] == 0.9


def test_average_precision_of_a_perfect_engine(tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    root = make_coco(tmp_path / "set", val=4)
    bodies = coco_body.load(root, "val")
    found = evaluate_bodies(knowing(bodies, "coco_17"), "coco", root)
    # the made crowd and the person without a landmark beside them are ignored by COCO's rules
    assert found.figures["AP"] == pytest.approx(100)
    worse = evaluate_bodies(knowing(bodies, "coco_17", lambda points: points + np.array([4.0, 0])), "coco", root)
    assert 0 < worse.figures["AP"] < 100
    boxes = tmp_path / "boxes.json"
    x1, y1, x2, y2 = bodies[0].sample.box
    box = {"image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1 + 1, y2 - y1 + 1], "score": 0.5}
    boxes.write_text(json.dumps([box]))
    one = evaluate_bodies(knowing(bodies, "coco_17"), "coco", root, boxes=boxes)
    assert one.figures["AR"] == pytest.approx(25)


def test_a_model_of_another_markup_is_refused(tmp_path: Path) -> None:
    bodies = mpii.load(make_mpii(tmp_path / "set"), "valid")
    with pytest.raises(DatasetError, match="mpii_16; coco needs coco_17"):
        evaluate_bodies(knowing(bodies, "mpii_16"), "coco", tmp_path)
