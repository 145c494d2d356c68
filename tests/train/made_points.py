"""A user's data set of five points, drawn: simple faces at any place, size and turn, in either format."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.sets.pts import write_pts

NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The person's own sides: the left eye is on the picture's right."""
FLIP_PAIRS = ((0, 1), (3, 4))
SIDE = 120
_PLACES = np.array([[0.35, -0.3], [-0.35, -0.3], [0.0, 0.05], [0.3, 0.45], [-0.3, 0.45]])
"""Of the points, in half heights of the face."""


def drawn_face(rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
    """(SIDE, SIDE, 3) RGB and (5, 2) pixels: an ellipse of skin, two dark eyes, a nose and a red mouth."""
    image = np.full((SIDE, SIDE, 3), rng.integers(0, 140, 3), np.uint8)
    size, angle = rng.uniform(28, 36), rng.normal(0, 0.12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = SIDE / 2 + rng.uniform(-8, 8, 2)
    points = centre + size * _PLACES @ turn.T

    def at(point: FloatArray) -> tuple[int, int]:
        return round(float(point[0])), round(float(point[1]))

    skin = tuple(int(value) for value in rng.integers((190, 140, 110), (250, 200, 170)))
    cv2.ellipse(image, at(centre), (round(0.8 * size), round(size)), float(np.degrees(angle)), 0, 360, skin, -1)
    for eye in points[:2]:
        cv2.circle(image, at(eye), round(0.11 * size), (20, 20, 30), -1)
    cv2.circle(image, at(points[2]), round(0.09 * size), (150, 90, 80), -1)
    cv2.line(image, at(points[3]), at(points[4]), (180, 30, 40), round(0.12 * size))
    return image, points


def write_folder(root: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """Pictures with .pts files, counts of them in each of these folders."""
    rng = np.random.default_rng(seed)
    for split, count in counts.items():
        (root / split).mkdir(parents=True)
        for number in range(count):
            image, points = drawn_face(rng)
            cv2.imwrite(str(root / split / f"{number}.png"), image[..., ::-1])
            write_pts(root / split / f"{number}.pts", points)
    return root


def write_coco(root: Path, counts: dict[str, int], seed: int = 0, hidden: int = 5) -> Path:
    """images/ and NAME.json for each split; of every face with a number divisible by `hidden` the nose is not
    annotated."""
    rng, images = np.random.default_rng(seed), root / "images"
    images.mkdir(parents=True)
    for split, count in counts.items():
        content: dict[str, list[object]] = {
            "images": [], "annotations": [], "categories": [{"id": 1, "name": "face", "keypoints": list(NAMES)}],
        }  # fmt: skip
        for number in range(count):
            image, points = drawn_face(rng)
            name = f"{split}{number}.png"
            cv2.imwrite(str(images / name), image[..., ::-1])
            marks = np.column_stack([points, np.full(5, 2.0)])
            if number % hidden == 0:
                marks[2] = 0
            content["images"].append({"id": number, "file_name": name})
            content["annotations"].append(
                {"id": number, "image_id": number, "category_id": 1, "keypoints": marks.ravel().tolist()}
            )
        (root / f"{split}.json").write_text(json.dumps(content))
    return root
