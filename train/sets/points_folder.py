"""A user's own pictures with .pts files: any number of landmarks, the same in every file."""

from __future__ import annotations

from pathlib import Path

from startrack.train.sets.pts import picture_beside, read_pts
from startrack.train.sets.sample import DatasetError, Sample

SPLITS = ("train", "validation", "test", "all")


def load(root: Path, split: str) -> list[Sample]:
    """Every picture below a folder with its .pts file, by path; the coordinates in the files count from 1.

    split: "train", "validation" or "test" is the folder of that name in root; "all" is everything below root, each
    face in the subset named after the first folder on its way. The markup is tracker.schemes.find_scheme's: iBUG's,
    WFLW's or COFW's if a model says so, else a plain one without edges and flip pairs. Raises DatasetError for an
    unknown split, an empty folder, a picture that is missing and a file whose landmarks are fewer or more than those
    of the first.
    """
    if split not in SPLITS:
        raise DatasetError(f"{root}: no split {split!r}; expected one of {', '.join(SPLITS)}")
    folder = root if split == "all" else root / split
    labels = sorted(folder.rglob("*.pts")) if folder.is_dir() else []
    if not labels:
        raise DatasetError(f"{folder}: no .pts file below it; expected pictures, each with a .pts file of its name")
    count = len(read_pts(labels[0]))
    return [Sample(picture_beside(label), read_pts(label, count), _subset(root, label)) for label in labels]


def load_all(root: Path, num_landmarks: int) -> list[Sample]:
    """Everything below a folder of further faces. Raises DatasetError as load does, and for another number."""
    samples = load(root, "all")
    if len(samples[0].landmarks) != num_landmarks:
        raise DatasetError(f"{root}: faces of {len(samples[0].landmarks)} landmarks; expected {num_landmarks}")
    return samples


def _subset(root: Path, label: Path) -> str:
    folders = label.relative_to(root).parts[:-1]
    return folders[0] if folders else "all"
