"""Where a detector takes something in the training photos for a face: what its next training is to look at.

Every find of MIN_SCORE in the photos' split "train", shrunk to several sizes, that touches neither a face nor a place
where there may be one. Look at the strongest before training: some are faces that the list of faces does not know, and
belong out of the file. face-detector-tuned reads the file where it lies beside faces.json.

    python -m benchmarks.shipping.mine_false_finds data/wider_photos engines/zoo/face-detector-float.onnx
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from startrack.engines import load_detector
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.nms import square_iou
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.types import FloatArray, Frame
from startrack.train.sets.face_photos import FacePhoto, corners_to_square, load_face_photos
from startrack.whole_file import write_whole

MIN_SCORE = 0.28
SIZES = (384, 640, 960)
"""Longer sides that photos are shrunk to: things near and far."""
APART = 0.45
"""Of a face's side: a find whose centre is nearer to the face's, in x and y, has to do with it."""
MOST_OVERLAP = 0.25
"""With a face, above which a find has to do with it."""
SAME = 0.4
"""Overlap from which two finds are one."""


def false_finds(detectors: Sequence[FaceDetector], photo: FacePhoto) -> list[list[float]]:
    """x, y, side in photo pixels and score of each, best first."""
    image = photo.read_image()
    known = np.concatenate([photo.squares, photo.ignored])
    rows = [[*corners_to_square(box.xyxy), box.score] for detect in detectors for box in detect(Frame(image, 0, 0.0))]
    kept: list[list[float]] = []
    for row in sorted(rows, key=lambda one: -one[3]):
        square, others = np.array(row[:3]), np.array(kept).reshape(-1, 4)[:, :3]
        if not _touches(known, square) and square_iou(others, square).max(initial=0.0) < SAME:
            kept.append([round(float(value), 2) for value in row])
    return kept


def _touches(known: FloatArray, square: FloatArray) -> bool:
    """Whether a find has to do with one of the faces (N, 3)."""
    near = np.abs(known[:, :2] - square[:2]).max(axis=1, initial=0.0) < APART * known[:, 2]
    return bool((near | (square_iou(known, square) > MOST_OVERLAP)).any())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder with faces.json")
    parser.add_argument("model", type=Path, help="our .onnx detector")
    parser.add_argument("--out", type=Path, help="default: mistaken.json in the folder")
    args = parser.parse_args()
    detectors = [
        ZooDetector(load_detector(args.model, "cpu", threads=1), input_size=size, min_score=MIN_SCORE) for size in SIZES
    ]
    found = {photo.path.name: false_finds(detectors, photo) for photo in load_face_photos(args.photos, "train")}
    for detect in detectors:
        detect.close()
    out = args.out or args.photos / "mistaken.json"
    write_whole(out, json.dumps({"images": {name: rows for name, rows in found.items() if rows}}) + "\n")
    print(f"{out}: {sum(map(len, found.values()))} finds")


if __name__ == "__main__":
    main()
