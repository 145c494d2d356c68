"""300W as published (Sagonas et al., ICCV Workshops 2013): folders of pictures with .pts files, 68 landmarks."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

from tracker.schemes import IBUG_68
from train.data.pts import read_pts
from train.data.sample import DatasetError, Sample

TRAIN_FOLDERS = ("afw", "helen/trainset", "lfpw/trainset")
TEST_FOLDERS: dict[str, tuple[str, ...]] = {
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
}
VALIDATION_SHARE = 10
"""One photo in so many of the training folders is held back for choosing settings."""
SPLITS = ("train", "validation", "trainval", "common", "challenging", "full")
PICTURE_SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp")


def load(root: Path, split: str) -> list[Sample]:
    """Faces of a split, in the order of their file names.

    root: the folder that holds afw, helen, lfpw and ibug. split: one of SPLITS; "train" and "validation" part the
    official training faces ("trainval") by photo, so that two faces of one photo never stand on both sides.
    Raises DatasetError for an unknown split, a missing folder or a picture without landmarks.
    """
    match split:
        case "train":
            return [sample for sample in load(root, "trainval") if not _held_back(sample)]
        case "validation":
            chosen = [sample for sample in load(root, "trainval") if _held_back(sample)]
            return [Sample(sample.path, sample.landmarks, "validation") for sample in chosen]
        case "trainval":
            return _load_folders(root, TRAIN_FOLDERS, "train")
        case "full":
            return [sample for subset in TEST_FOLDERS for sample in load(root, subset)]
        case _ if split in TEST_FOLDERS:
            return _load_folders(root, TEST_FOLDERS[split], split)
        case _:
            raise DatasetError(f"300W has no split {split!r}; expected one of {', '.join(SPLITS)}")


def _load_folders(root: Path, folders: Sequence[str], subset: str) -> list[Sample]:
    return [sample for folder in folders for sample in load_folder(root / folder, subset)]


def load_folder(folder: Path, subset: str) -> list[Sample]:
    """Every picture of a folder with its .pts file, by name. Raises DatasetError where either is missing."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected the published layout of 300W")
    labels = sorted(folder.glob("*.pts"))
    if not labels:
        raise DatasetError(f"{folder}: no .pts file in it; expected the published layout of 300W")
    return [Sample(_picture_of(label), read_pts(label, IBUG_68.num_landmarks), subset) for label in labels]


def _picture_of(label: Path) -> Path:
    for suffix in PICTURE_SUFFIXES:
        picture = label.with_suffix(suffix)
        if picture.exists():
            return picture
    raise DatasetError(f"{label}: no picture beside it; expected {label.stem} with {' or '.join(PICTURE_SUFFIXES)}")


def _held_back(sample: Sample) -> bool:
    """Whether the photo is kept for validation: by a hash of its name, the same on every machine."""
    photo, _, number = sample.path.stem.rpartition("_")
    key = photo if number.isdigit() and len(number) == 1 else sample.path.stem
    return zlib.crc32(key.encode()) % VALIDATION_SHARE == 0
