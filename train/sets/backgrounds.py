"""Pictures without a face, cut from photos of scenes: what teaches a network to say that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from startrack.outside import read_json, reason
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.sets.sample import DatasetError, picture_below, read_picture


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A photo and every place in it that may be a face."""

    image: ImageArray
    """(H, W, 3) uint8 RGB."""
    faces: FloatArray
    """(N, 4) xyxy of all possible faces, however unsure, pixels of image."""


def load_backgrounds(folder: Path, *, max_side: int = 480) -> list[Background]:
    """Photos of a folder with its faces.json (file name → rows of x, y, w, h, …), scaled down to max_side.

    Raises DatasetError if the folder, the list or a picture is missing or malformed.
    """
    listing = folder / "faces.json"
    try:
        faces = read_json(listing)["images"]
        boxes = {name: np.array([row[:4] for row in rows], np.float64).reshape(-1, 4) for name, rows in faces.items()}
        if not all(np.isfinite(rows).all() for rows in boxes.values()):
            raise ValueError("a number that is not finite")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DatasetError(
            f"{listing}: expected 'images' by file name, rows of x, y, w, h, found: {reason(error)}"
        ) from error
    return [
        _background(picture_below(folder, name, str(listing)), boxes_xywh, max_side)
        for name, boxes_xywh in sorted(boxes.items())
    ]


def _background(path: Path, boxes_xywh: FloatArray, max_side: int) -> Background:
    image = read_picture(path)
    zoom = min(1.0, max_side / max(image.shape[:2]))
    if zoom < 1:
        image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    corners = np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)
    return Background(image, corners * zoom)


def background_square(
    background: Background, rng: np.random.Generator, *, tries: int = 20, speck: float = 0.1
) -> FloatArray | None:
    """(3,) centre x, y and side in pixels of a random square without a face, None if none was found.

    A face counts as in the square when more than a tenth of it lies there, unless it is a speck of the square: smaller
    than that share of the square's side. The square may leave the photo by a quarter of its side.
    """
    height, width = background.image.shape[:2]
    for _ in range(tries):
        side = float(np.exp(rng.uniform(np.log(24), np.log(max(25.0, min(height, width))))))
        x, y = rng.uniform(0.25 * side, width - 0.25 * side), rng.uniform(0.25 * side, height - 0.25 * side)
        if not shows_face(background.faces, np.array([x, y, side]), speck):
            return np.array([x, y, side])
    return None


def shows_face(faces: FloatArray, square: FloatArray, speck: float) -> bool:
    """Whether one of (N, 4) xyxy shows in the square (3,); see background_square."""
    if not len(faces):
        return False
    x, y, side = square
    low = np.maximum(faces[:, :2], [x - side / 2, y - side / 2])
    high = np.minimum(faces[:, 2:], [x + side / 2, y + side / 2])
    overlap = (high - low).clip(0).prod(axis=1)
    size = faces[:, 2:] - faces[:, :2]
    return bool(((overlap > 0.1 * size.prod(axis=1)) & (size.max(axis=1) > speck * side)).any())
