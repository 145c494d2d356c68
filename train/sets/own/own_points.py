"""A user's own landmarks as a training takes them: faces to train on, faces to watch by, and the markup."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from startrack.tracker.schemes import SCHEMES, LandmarkScheme, plain_scheme
from startrack.train.sets import DATASETS, coco_points
from startrack.train.sets.hold_back import hold_back
from startrack.train.sets.own.flip_pairs import read_flip_pairs
from startrack.train.sets.sample import DatasetError, Sample

FOLDER, COCO = "folder", "coco-points"
WATCHED = ("validation", "val", "test")
"""Splits that a training is watched by: the first that the data set has."""
FEWEST = 2
"""Landmarks; one alone has no box that a crop could be cut by."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnPoints:
    """The faces of a training and their markup."""

    train: list[Sample]
    validation: list[Sample]
    scheme: LandmarkScheme
    """Flip pairs as far as names or a file say them; the name is that of find_scheme, which a model file carries."""


def read_own_points(data: Path, dataset: str | None = None, flip_pairs: Path | None = None) -> OwnPoints:
    """Read a data set of any markup.

    dataset: a name of DATASETS; None takes coco-points where there is a COCO file, else folder. Data without a split
    `train` is one set, of which one picture in ten is held back, as it is where no split of WATCHED is there.
    flip_pairs: a file as flip_pairs.py reads it, in place of the pairs in names of COCO keypoints. A face of which
    less than half of the landmarks are annotated is left out. Raises DatasetError for anything that cannot be read.
    """
    dataset = dataset or (COCO if _coco_files(data) else FOLDER)
    if dataset not in DATASETS:
        raise DatasetError(f"{data}: no data set {dataset!r}; expected one of {', '.join(DATASETS)}")
    whole, watched = _splits(data, dataset)
    faces = DATASETS[dataset](data, whole)
    scheme = _markup(data, dataset, whole, len(faces[0].landmarks), flip_pairs)
    if watched is None:
        train, validation = hold_back(faces)
        if not (train and validation):  # so few that the hash holds all or none of them back
            train, validation = faces[1:] or faces, faces[:1]
    else:
        train, validation = faces, DATASETS[dataset](data, watched)
    return OwnPoints(_usable(data, train, scheme), _usable(data, validation, scheme), scheme)


def _coco_files(data: Path) -> list[Path]:
    return [path for folder in (data, data / "annotations") for path in sorted(folder.glob("*.json"))]


def _splits(data: Path, dataset: str) -> tuple[str, str | None]:
    """Names of the split to train on and of that to watch by; None: a part of the first."""
    if dataset == FOLDER:
        if not (data / "train").is_dir():
            return "all", None
        return "train", next((name for name in WATCHED if (data / name).is_dir()), None)
    if dataset == COCO:
        names = [path.stem for path in _coco_files(data)]
        if "train" in names:
            return "train", next((name for name in WATCHED if name in names), None)
        if len(names) != 1:
            raise DatasetError(f"{data}: {len(names)} COCO files, none of them train.json; expected train.json or one")
        return names[0], None
    return "train", "validation" if dataset in ("300w", "rendered") else "test"


def _markup(data: Path, dataset: str, split: str, count: int, flip_pairs: Path | None) -> LandmarkScheme:
    if count < FEWEST:
        raise DatasetError(f"{data}: {count} landmark a face; expected {FEWEST} or more")
    names: Sequence[str] = ()
    if dataset == COCO:
        scheme = coco_points.read_scheme(data, split)
        names = coco_points.read_names(data, split)
    else:
        known = {scheme.num_landmarks: scheme for scheme in SCHEMES.values() if not scheme.is_body}
        scheme = known.get(count) or plain_scheme(count)
    if flip_pairs is None:
        return scheme
    return replace(plain_scheme(count), flip_pairs=read_flip_pairs(flip_pairs, count, names))


def _usable(data: Path, samples: Sequence[Sample], scheme: LandmarkScheme) -> list[Sample]:
    """Faces of the markup with enough landmarks to be cut out by. Raises DatasetError if none is left."""
    count = scheme.num_landmarks
    for sample in samples:
        if len(sample.landmarks) != count:
            raise DatasetError(
                f"{sample.path}: {len(sample.landmarks)} landmarks; expected {count} like the first face"
            )
    kept = [sample for sample in samples if sample.annotated.sum() >= max(FEWEST, count / 2)]
    if not kept:
        raise DatasetError(f"{data}: no face with half of its {count} landmarks annotated; expected one or more")
    if len(kept) < len(samples):
        left_out = len(samples) - len(kept)
        logging.getLogger("startrack").warning(
            "%s: %d of %d faces left out: less than half of their landmarks are annotated", data, left_out, len(samples)
        )
    return kept
