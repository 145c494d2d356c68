"""Faces that `startrack render` made: pictures with .pts files, and a .json file of what else is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.outside import LARGEST_FACTS, read_json, reason, shown
from startrack.tracker.schemes import IBUG_68
from startrack.train.sets.hold_back import hold_back
from startrack.train.sets.pts import picture_beside, read_pts
from startrack.train.sets.sample import HIDDEN, VISIBLE, DatasetError, Sample

SUBSET = "rendered"
SPLITS = ("train", "validation", "all")
SERIES_FILE = "series.json"
"""Settings of the whole folder."""
FACTS_SUFFIX = ".json"
PICTURES_A_FOLDER = 1000
TURNS_DEG = (15, 30, 45, 60, 75, 90)
"""Upper ends of the ranges of turn that figures are given for."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The contents of a rendered face's file, as far as training and evaluation read it."""

    visible: NDArray[np.bool_]
    """(68,) whether the camera sees each landmark."""
    turn_deg: float
    """Angle between the face's front and the way to the camera."""
    attributes: dict[str, str]
    """Worn and grown things."""


def picture_stem(number: int) -> str:
    """Path of a picture below the set's folder, without its suffix."""
    return f"{number // PICTURES_A_FOLDER:04d}/{number:07d}"


def is_rendered(folder: Path) -> bool:
    """Whether startrack render made the folder."""
    return (folder / SERIES_FILE).is_file()


def refuse_photos(folder: Path) -> None:
    """Raise DatasetError if the series was rendered before photos, of whose licence nothing is known, or says nothing
    of its backgrounds."""
    _expect_rendered(folder)
    refuse_series_with_photos(folder / SERIES_FILE)


def refuse_series_with_photos(about: Path) -> None:
    """Raise DatasetError if the file of a series names backgrounds, or says nothing of them."""
    try:
        series = read_json(about, LARGEST_FACTS)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{about}: cannot be read: {reason(error)}") from error
    photos = series.get("backgrounds") if isinstance(series, dict) else None
    if photos != "":
        raise DatasetError(f"{about}: backgrounds: {shown(photos)}; expected a series rendered without --backgrounds")


def load(root: Path, split: str) -> list[Sample]:
    """Faces of a split, by number; "validation" is every tenth, by a hash of its name.

    Every landmark is annotated; visibility says which are hidden. Attributes are the turn of the head, e.g.
    "turn 45-60", and worn things, e.g. "mask". Raises DatasetError for an unknown split and a folder or file that is
    not as made.
    """
    return [read_sample(path) for path in split_paths(root, split)]


def split_paths(root: Path, split: str) -> list[Path]:
    """The files of facts of a split, by number. Raises DatasetError as load does, without reading them."""
    if split not in SPLITS:
        raise DatasetError(f"{root}: no split {split!r}; expected one of {', '.join(SPLITS)}")
    # parted by their names
    named = [Sample(path, np.zeros((0, 2)), SUBSET) for path in facts_paths(root)]
    train, validation = hold_back(named)
    return [one.path for one in {"all": named, "train": train, "validation": validation}[split]]


def facts_paths(root: Path) -> list[Path]:
    """The files of facts in a folder, by number. Raises DatasetError if startrack render did not make and fill it."""
    _expect_rendered(root)
    paths = sorted(root.glob(f"*/*{FACTS_SUFFIX}"))
    if not paths:
        raise DatasetError(f"{root}: no picture in it yet; expected a folder that startrack render has filled")
    return paths


def _expect_rendered(folder: Path) -> None:
    if not is_rendered(folder):
        raise DatasetError(f"{folder}: no {SERIES_FILE} in it; expected a folder that startrack render has made")


def read_sample(path: Path) -> Sample:
    """The face that a file of facts is of. Raises DatasetError as load does."""
    facts = read_facts(path)
    label = path.with_suffix(".pts")
    return Sample(
        picture_beside(label),
        read_pts(label, IBUG_68.num_landmarks),
        SUBSET,
        attributes=(turn_name(facts.turn_deg), *sorted(facts.attributes)),
        visibility=np.where(facts.visible, VISIBLE, HIDDEN).astype(np.uint8),
    )


def turn_name(turn_deg: float) -> str:
    """The attribute of a face with that turn, e.g. "turn 45-60"."""
    high = next((end for end in TURNS_DEG if abs(turn_deg) < end), TURNS_DEG[-1])
    return f"turn {max(high - 15, 0)}-{high}"


def read_facts(path: Path) -> Facts:
    """The facts in a file. Raises DatasetError naming the file and the entry that is not as made."""
    try:
        values: Any = read_json(path, LARGEST_FACTS)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    if not isinstance(values, dict):
        raise DatasetError(f"{path}: {type(values).__name__}; expected an object")
    visible, turn, attributes = (values.get(name) for name in ("visible", "turn_deg", "attributes"))
    if not isinstance(visible, list) or len(visible) != IBUG_68.num_landmarks or any(v not in (0, 1) for v in visible):
        raise DatasetError(f"{path}: visible: expected {IBUG_68.num_landmarks} values 0 or 1")
    if isinstance(turn, bool) or not isinstance(turn, int | float) or not abs(turn) <= 180:
        raise DatasetError(f"{path}: turn_deg: {shown(turn)}; expected degrees from -180 to 180")
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise DatasetError(f"{path}: attributes: expected an object of texts")
    return Facts(np.array(visible, bool), float(turn), attributes)
