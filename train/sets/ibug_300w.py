"""300W as published (Sagonas et al., ICCV Workshops 2013): folders of pictures with .pts files, 68 landmarks."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from startrack.tracker.schemes import IBUG_68
from startrack.train.sets.pts import picture_beside, read_pts
from startrack.train.sets.sample import UNCERTAIN_WEIGHT, DatasetError, Sample

TRAIN_FOLDERS = ("afw", "helen/trainset", "lfpw/trainset")
TEST_FOLDERS: dict[str, tuple[str, ...]] = {
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
}
VALIDATION_SHARE = 10
"""One photo in so many of the training folders is held back for choosing settings."""
SPLITS = ("train", "validation", "trainval", "common", "challenging", "full")
PRIVATE_FOLDERS = {"indoor": "01_Indoor", "outdoor": "02_Outdoor"}
PRIVATE_SPLITS = (*PRIVATE_FOLDERS, "full")


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
            return [replace(sample, subset="validation") for sample in chosen]
        case "trainval":
            return _load_folders(root, TRAIN_FOLDERS, "train")
        case "full":
            return [sample for subset in TEST_FOLDERS for sample in load(root, subset)]
        case _ if split in TEST_FOLDERS:
            return _load_folders(root, TEST_FOLDERS[split], split)
        case _:
            raise DatasetError(f"300W has no split {split!r}; expected one of {', '.join(SPLITS)}")


def load_private(root: Path, split: str) -> list[Sample]:
    """The 600 faces of the challenge's own test set (Sagonas et al., Image and Vision Computing 2016).

    root: the folder 300W of the published archive, with 01_Indoor and 02_Outdoor. split: one of PRIVATE_SPLITS, "full"
    being both. Raises DatasetError as load does.
    """
    if split not in PRIVATE_SPLITS:
        raise DatasetError(f"300W private has no split {split!r}; expected one of {', '.join(PRIVATE_SPLITS)}")
    subsets = tuple(PRIVATE_FOLDERS) if split == "full" else (split,)
    return [sample for subset in subsets for sample in load_folder(root / PRIVATE_FOLDERS[subset], subset)]


def load_reduced(folder: Path, weight: float = UNCERTAIN_WEIGHT) -> list[Sample]:
    """Further training faces of low resolution, less certain, in a folder of pictures with .pts: subset "reduced".

    Photos that "validation" holds back are left out, so that they may join "train". Raises DatasetError as load does.
    """
    faces = [sample for sample in load_folder(folder, "reduced") if not _held_back(sample)]
    return [replace(sample, weight=weight) for sample in faces]


def _load_folders(root: Path, folders: Sequence[str], subset: str) -> list[Sample]:
    return [sample for folder in folders for sample in load_folder(root / folder, subset)]


def load_folder(folder: Path, subset: str) -> list[Sample]:
    """Every picture of a folder with its .pts file, by name. Raises DatasetError where either is missing."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected the published layout of 300W")
    labels = sorted(folder.glob("*.pts"))
    if not labels:
        raise DatasetError(f"{folder}: no .pts file in it; expected the published layout of 300W")
    return [Sample(picture_beside(label), read_pts(label, IBUG_68.num_landmarks), subset) for label in labels]


def _held_back(sample: Sample) -> bool:
    """Whether the photo is kept for validation: by a hash of its name, the same on every machine."""
    photo, _, number = sample.path.stem.rpartition("_")
    key = photo if number.isdigit() and len(number) == 1 else sample.path.stem
    return zlib.crc32(key.encode()) % VALIDATION_SHARE == 0
