"""OKS by hand, and everything that COCO's own code and HRNet's make of two sets of people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from startrack.train.metrics.oks import (
    COCO_SIGMAS,
    STATISTICS,
    CocoSummary,
    coco_average_precision,
    oks,
    oks_between,
    oks_nms,
    soft_oks_nms,
)
from startrack.train.sets.sample import DatasetError

EVERYWHERE = np.ones(17, bool)


def test_oks_by_hand() -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (17, 2))
    # each landmark off by its own k times the root of the area: exp(-1/2)
    away = truth + np.column_stack([2 * COCO_SIGMAS * 30, np.zeros(17)])
    np.testing.assert_allclose(oks(np.stack([truth, away]), truth, EVERYWHERE, 900.0), [1, np.exp(-0.5)])
    known = EVERYWHERE.copy()
    known[3:] = False
    far = truth.copy()
    far[3:] = 1e4
    np.testing.assert_allclose(oks(far[None], np.where(known[:, None], truth, np.nan), known, 900.0), [1])


def test_a_person_without_landmarks_is_compared_by_the_box() -> None:
    inside, outside = np.full((17, 2), 50.0), np.full((17, 2), 5000.0)
    box = np.array([40.0, 40, 60, 60])
    none = np.zeros(17, bool)
    found = oks(np.stack([inside, outside]), np.full((17, 2), np.nan), none, 400.0, box=box)
    np.testing.assert_allclose(found, [1, 0], atol=1e-9)
    assert oks(inside[None], inside, none, 400.0).tolist() == [0]


def test_of_two_alike_the_better_one_is_kept() -> None:
    people = np.random.default_rng(1).uniform(0, 100, (3, 17, 2))
    people[1] = people[0] + 0.1
    assert oks_nms(people, np.array([0.5, 0.6, 0.1]), np.full(3, 400.0)) == [1, 2]
    assert soft_oks_nms(people, np.array([0.5, 0.6, 0.4]), np.full(3, 400.0)) == [1, 2, 0]
    assert oks_nms(people[:0], np.zeros(0), np.zeros(0)) == []


@pytest.mark.data
def test_official_likeness_and_suppression(parity_dir: Path) -> None:
    folder = parity_dir / "awing_dehrnet"
    people = json.loads((folder / "coco_gt.json").read_text(encoding="utf-8"))["annotations"]
    detections = json.loads((folder / "coco_dets.json").read_text(encoding="utf-8"))
    with np.load(folder / "coco_oks.npz") as file:
        arrays = {key: file[key] for key in file.files}
    compared = 0
    for image, matrix in json.loads(bytes(arrays["oks_matrices"]).decode()).items():
        found = sorted((each for each in detections if each["image_id"] == int(image)), key=lambda each: -each["score"])
        points = np.array([each["keypoints"] for each in found[:20]]).reshape(-1, 17, 3)[..., :2]
        for column, person in enumerate([each for each in people if each["image_id"] == int(image)] if matrix else []):
            truth = np.array(person["keypoints"]).reshape(17, 3)
            x, y, width, height = person["bbox"]
            box = np.array([x, y, x + width, y + height])
            likeness = oks(points, truth[:, :2], truth[:, 2] > 0, person["area"], box=box)
            np.testing.assert_allclose(likeness, np.array(matrix)[:, column], atol=1e-12)
            compared += 1
    assert compared > 50
    points, areas, scores = arrays["nms_keypoints"][..., :2], arrays["nms_area"], arrays["nms_score"]
    np.testing.assert_allclose(oks_between(points[0], points[1:], areas[0], areas[1:]), arrays["oks_iou_0"], atol=1e-12)
    for most in (0.9, 0.5):
        assert oks_nms(points, scores, areas, most) == arrays[f"nms_keep_{most}"].tolist()
    assert soft_oks_nms(points, scores, areas) == arrays["soft_nms_keep_0.9"].tolist()


@pytest.mark.data
def test_official_average_precision(parity_dir: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    folder = parity_dir / "awing_dehrnet"
    detections = json.loads((folder / "coco_dets.json").read_text(encoding="utf-8"))
    summary = coco_average_precision(folder / "coco_gt.json", detections)
    with np.load(folder / "coco_oks.npz") as file:
        np.testing.assert_allclose(summary.values, file["stats"], atol=1e-9)
        assert json.loads(bytes(file["names"]).decode()) == list(STATISTICS)
    assert list(CocoSummary((0.5, *[-1.0] * 9)).to_dict()) == ["AP"]
    assert summary.to_dict()["AP"] == pytest.approx(100 * summary.values[0])
    with pytest.raises(DatasetError, match="no prediction"):
        coco_average_precision(folder / "coco_gt.json", [])
