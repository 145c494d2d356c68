"""Any face detector on any folder of photos with boxes → AP@0.5 and recall by size of face."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.types import FaceBox, Frame
from startrack.train.metrics.detection import PictureResult, score_detections
from startrack.train.sets.face_photos import FacePhoto, corners_to_square
from startrack.train.sets.sample import DatasetError
from startrack.whole_file import write_whole

SIZES: dict[str, tuple[float, float]] = {
    "16+": (16, math.inf),
    "16-32": (16, 32),
    "32+": (32, math.inf),
    "32-64": (32, 64),
    "64-128": (64, 128),
    "128+": (128, math.inf),
}
"""Side of the face in pixels of the photo, the upper bound excluded."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceEvaluation:
    """A detector's faces in a set of photos; every figure follows from it."""

    detector: str
    pictures: tuple[PictureResult, ...]
    allowed: tuple[int, ...]
    """Numbers of false positives, over all photos, at which recall is given."""

    def to_json(self) -> str:
        """By size: faces, ap and recall in per cent; recall_at maps false positives to [recall, score reached]."""
        sizes: dict[str, Any] = {}
        for name, (low, high) in SIZES.items():
            scored = score_detections(self.pictures, min_side=low, max_side=high)
            if not scored.num_faces:
                continue
            recalls = {str(count): scored.recall_at(count) for count in self.allowed}
            sizes[name] = {
                "faces": scored.num_faces,
                "ap": round(100 * scored.average_precision(), 2),
                "recall_at": {
                    count: [round(100 * value[0], 2), round(value[1], 3)] for count, value in recalls.items()
                },
            }
        return json.dumps({"detector": self.detector, "photos": len(self.pictures), "sizes": sizes}, indent=2)

    def to_text(self) -> str:
        """The same as a table for the screen."""
        figures = json.loads(self.to_json())
        head = "".join(f"{f'recall@{count}':>12}" for count in self.allowed)
        lines = [f"{self.detector}: {figures['photos']} photos, per cent", f"{'side px':>8}{'faces':>7}{'AP':>8}{head}"]
        for name, row in figures["sizes"].items():
            recalls = "".join(f"{value[0]:12.2f}" for value in row["recall_at"].values())
            lines.append(f"{name:>8}{row['faces']:7d}{row['ap']:8.2f}{recalls}")
        return "\n".join(lines)


def evaluate_faces(
    detect: FaceDetector, photos: Sequence[FacePhoto], name: str, *, allowed: tuple[int, ...] = (0, 5, 10, 20, 50)
) -> FaceEvaluation:
    """Run a detector on every photo. It should be one with a low score threshold, so that curves reach far.

    Raises DatasetError for no photo or an unreadable one; EngineError comes from the detector.
    """
    if not photos:
        raise DatasetError(f"{name}: no photo to evaluate on")
    pictures = [_picture(detect, photo, index) for index, photo in enumerate(photos)]
    return FaceEvaluation(name, tuple(pictures), allowed)


def _picture(detect: FaceDetector, photo: FacePhoto, index: int) -> PictureResult:
    boxes: list[FaceBox] = detect(Frame(photo.read_image(), index, float(index)))
    squares = np.array([corners_to_square(box.xyxy) for box in boxes]).reshape(-1, 3)
    return PictureResult(squares, np.array([box.score for box in boxes]), photo.squares, photo.ignored)


def write_evaluation(evaluation: FaceEvaluation, path: Path) -> None:
    """to_json into a file."""
    write_whole(path, evaluation.to_json() + "\n")
