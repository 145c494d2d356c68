"""Pictures of several people that `startrack render --scenes` made, with all their faces."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.outside import LARGEST_FACTS, read_json, reason
from startrack.train.sets.face_photos import FacePhoto, load_face_photos
from startrack.train.sets.hold_back import SHARE
from startrack.train.sets.rendered import FACTS_SUFFIX, refuse_series_with_photos
from startrack.train.sets.sample import DatasetError

SCENES_FILE = "scenes.json"
"""Settings of the whole folder."""
PEOPLE_FOLDER = "people"
"""Folder of the people, each rendered once."""
SPLITS = ("train", "validation", "all")
LEAST_VISIBLE = 0.4
"""Share of a face that must be seen for it to be found; of less it is ignored."""
MOST_TURN_DEG = 100.0
"""A head turned further shows no face to be found, and is ignored."""


def load_scenes(folder: Path, split: str) -> list[FacePhoto]:
    """Pictures by number; "validation" is every tenth, by a hash of its name.

    Raises DatasetError for an unknown split, and for a folder or file that is not as made.
    """
    if split not in SPLITS:
        raise DatasetError(f"{folder}: no split {split!r}; expected one of {', '.join(SPLITS)}")
    if not (folder / SCENES_FILE).is_file():
        raise DatasetError(f"{folder}: no {SCENES_FILE} in it; expected a folder of startrack render --scenes")
    paths = sorted(folder.glob(f"[0-9]*/*{FACTS_SUFFIX}"))
    held_back = [zlib.crc32(path.stem.encode("utf-8", "surrogatepass")) % SHARE == 0 for path in paths]
    wanted = {"all": (True, False), "train": (False,), "validation": (True,)}[split]
    photos = [_photo(path) for path, held in zip(paths, held_back, strict=True) if held in wanted]
    if not photos:
        raise DatasetError(f"{folder}: no picture of split {split!r} in it yet; expected more pictures")
    return photos


def load_pictures(folder: Path, split: str) -> list[FacePhoto]:
    """load_scenes of a folder of rendered scenes, else load_face_photos."""
    return load_scenes(folder, split) if (folder / SCENES_FILE).is_file() else load_face_photos(folder, split)


def refuse_photos(folder: Path) -> None:
    """Raise DatasetError if the series was rendered before photos; see rendered.refuse_photos."""
    refuse_series_with_photos(folder / SCENES_FILE)


def _photo(path: Path) -> FacePhoto:
    try:
        faces = read_json(path, LARGEST_FACTS)["faces"]
        rows = [_face(face) for face in faces]
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DatasetError(f"{path}: not a scene's faces as startrack render writes them: {reason(error)}") from error
    found = [(square, points[:2]) for square, points, is_found in rows if is_found]
    return FacePhoto(
        path=path.with_suffix(".jpg"),
        squares=np.array([square for square, _ in found]).reshape(-1, 3),
        eyes=np.array([eyes for _, eyes in found]).reshape(-1, 2, 2),
        ignored=np.array([square for square, _, is_found in rows if not is_found]).reshape(-1, 3),
    )


def _face(face: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """(3,) square, (5, 2) points, and whether it is to be found. Raises ValueError, KeyError, TypeError."""
    square, points = np.array(face["square"], np.float64), np.array(face["points"], np.float64)
    visible, turn = float(face["visible"]), float(face["turn_deg"])
    if square.shape != (3,) or points.shape != (5, 2):
        raise ValueError(f"square of shape {square.shape}, points of shape {points.shape}; expected (3,) and (5, 2)")
    if not np.isfinite([*square, *points.ravel(), visible, turn]).all():
        raise ValueError("a number that is not finite")
    if not square[2] > 0:
        raise ValueError(f"a face of side {square[2]:g}")
    return square, points, visible >= LEAST_VISIBLE and abs(turn) <= MOST_TURN_DEG
