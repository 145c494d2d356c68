"""Photos with a list of their faces: faces.json, file name → rows; the boxes mapped to ours.

A row of 15 numbers is a machine's: x, y, w, h, five points (right eye, left eye, nose, right and left mouth corner) and
score; the box is computed from the points. A row of 4 or 5 is our box: x, y, w, h and perhaps a score. Faces of a score
below TRUSTED_SCORE are ignored: neither to be found nor wrong when found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.outside import read_json, reason, shown
from startrack.tracker.detect.five_points import box_from_five_points
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.sets.sample import DatasetError, picture_below, read_picture

TRUSTED_SCORE = 0.8
HELD_BACK_EVENTS = ("4", "22")
"""WIDER's numbers of dancing and picnic: photos of the same event resemble each other."""
TUNING_EVERY = 12
"""Of the other events' photos, by name, one in so many is held back too: for choosing thresholds."""
SPLITS = ("train", "tuning", "validation", "all")
ROW_LENGTHS = (4, 5, 15)


@dataclass(frozen=True, slots=True, eq=False)
class FacePhoto:
    """A photo and the facts of its faces, in its pixels."""

    path: Path
    squares: FloatArray
    """(N, 3) centre x, y and side of each face to be found (tracker.types.FaceBox)."""
    eyes: FloatArray
    """(N, 2, 2) the face's own right eye, then its left; NaN where unknown."""
    ignored: FloatArray
    """(I, 3) squares where there may be a face."""

    @property
    def event(self) -> str:
        """The number before the file name's first underscore."""
        return self.path.name.partition("_")[0]

    def read_image(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError if the file is missing or no picture."""
        return read_picture(self.path)


def load_face_photos(folder: Path, split: str = "all") -> list[FacePhoto]:
    """The photos of a folder with its faces.json, by name.

    split: "all", or "validation" (WIDER photos of HELD_BACK_EVENTS), "tuning" (one in TUNING_EVERY of the others) and
    "train" (the rest). Raises DatasetError for an unknown
    split and for a list that is missing, malformed or empty.
    """
    if split not in SPLITS:
        raise DatasetError(f"{folder}: no split {split!r}; expected one of {', '.join(SPLITS)}")
    listing = folder / "faces.json"
    try:
        rows = read_json(listing)["images"]
        photos = [_photo(picture_below(folder, name, str(listing)), rows[name], listing) for name in sorted(rows)]
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        found = reason(error) if isinstance(error, OSError | ValueError) else shown(error, longest=200)
        raise DatasetError(f"{listing}: expected 'images', file name → rows of numbers: {found}") from error
    if split != "all":
        others = [photo for photo in photos if photo.event not in HELD_BACK_EVENTS]
        match split:
            case "validation":
                photos = [photo for photo in photos if photo.event in HELD_BACK_EVENTS]
            case "tuning":
                photos = others[::TUNING_EVERY]
            case _:
                photos = [photo for number, photo in enumerate(others) if number % TUNING_EVERY]
    if not photos:
        raise DatasetError(f"{listing}: no photo of split {split!r} in it")
    return photos


def _photo(path: Path, rows: list[list[float]], listing: Path) -> FacePhoto:
    trusted: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    ignored: list[NDArray[np.float64]] = []
    for number, row in enumerate(rows):
        values = np.array(row, np.float64)
        if len(row) not in ROW_LENGTHS or not np.isfinite(values).all() or min(values[2:4]) <= 0:
            raise DatasetError(
                f"{listing}: face {number} of {path.name} is {shown(row)}; expected x, y, w, h above 0, perhaps a "
                "score, or five points and a score"
            )
        square, eyes, score = _face(values)
        if score >= TRUSTED_SCORE:
            trusted.append((square, eyes))
        else:
            ignored.append(square)
    return FacePhoto(
        path=path,
        squares=np.array([square for square, _ in trusted]).reshape(-1, 3),
        eyes=np.array([eyes for _, eyes in trusted]).reshape(-1, 2, 2),
        ignored=np.array(ignored).reshape(-1, 3),
    )


def _face(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """A row → (3,) square, (2, 2) eyes, score."""
    if len(values) == 15:
        box = box_from_five_points(values[4:14].reshape(5, 2), float(values[14]))
        assert box.eyes is not None
        return corners_to_square(box.xyxy), np.asarray(box.eyes, np.float64), box.score
    x, y, width, height = values[:4]
    square = corners_to_square(np.array([x, y, x + width, y + height]))
    return square, np.full((2, 2), np.nan), float(values[4]) if len(values) == 5 else 1.0


def corners_to_square(xyxy: FloatArray) -> NDArray[np.float64]:
    """(4,) left, top, right, bottom → (3,) centre x, y and the larger side."""
    corners = np.asarray(xyxy, np.float64)
    return np.array([*(corners[:2] + corners[2:]) / 2, (corners[2:] - corners[:2]).max()])


def square_to_row(square: FloatArray) -> list[float]:
    """(3,) → x, y, w, h: a row of faces.json."""
    x, y, side = (float(value) for value in square)
    return [round(value, 2) for value in (x - side / 2, y - side / 2, side, side)]
