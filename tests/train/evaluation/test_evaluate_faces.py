from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.types import FaceBox, Frame
from startrack.train.evaluation.evaluate_faces import evaluate_faces, write_evaluation
from startrack.train.sets.face_photos import load_face_photos, square_to_row
from startrack.train.sets.sample import DatasetError


def test_a_folder_with_boxes(tmp_path: Path) -> None:
    images = {}
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((100, 100, 3), 10 * index, np.uint8))
        images[f"{index}.png"] = [square_to_row(np.array([40.0, 40, 40])), square_to_row(np.array([80.0, 80, 20]))]
    (tmp_path / "faces.json").write_text(json.dumps({"images": images}))

    class Detector(FaceDetector):
        """Finds the large face of the first two photos, and something in the third."""

        def __call__(self, frame: Frame) -> list[FaceBox]:
            last = frame.image[0, 0, 0] == 20
            return [FaceBox(np.array([60.0, 0, 100, 40] if last else [20.0, 20, 60, 60]), 0.3 if last else 0.9)]

        def close(self) -> None: ...

    evaluation = evaluate_faces(Detector(), load_face_photos(tmp_path), "made", allowed=(0, 1))
    figures = json.loads(evaluation.to_json())
    assert figures["photos"] == 3
    assert figures["sizes"]["32+"] == {"faces": 3, "ap": 66.67, "recall_at": {"0": [66.67, 0.9], "1": [66.67, 0.3]}}
    assert figures["sizes"]["16-32"]["ap"] == 0
    assert "128+" not in figures["sizes"]
    assert "66.67" in evaluation.to_text()
    write_evaluation(evaluation, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == figures
    with pytest.raises(DatasetError, match="made: no photo"):
        evaluate_faces(Detector(), [], "made")
