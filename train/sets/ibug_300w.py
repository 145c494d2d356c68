"""300W as published (Sagonas et al., ICCV Workshops 2013): folders of pictures with .pts files, 68 landmarks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from startrack.tracker.schemes import IBUG_68
from startrack.train.sets import rendered
from startrack.train.sets.pts import picture_beside, read_pts
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS, with_bias

TRAIN_FOLDERS = ("afw", "helen/trainset", "lfpw/trainset")
TEST_FOLDERS: dict[str, tuple[str, ...]] = {
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
}
VALIDATION_LIST = Path(__file__).with_name("ibug_300w_validation.txt")
"""The 187 training faces that are held back for choosing settings: folder and name, one a line."""
SPLITS = ("train", "validation", "trainval", "common", "challenging", "full")
PRIVATE_FOLDERS = {"indoor": "01_Indoor", "outdoor": "02_Outdoor"}
PRIVATE_SPLITS = (*PRIVATE_FOLDERS, "full")


def load(root: Path, split: str) -> list[Sample]:
    """Faces of a split, in the order of their file names.

    root: the folder that holds afw, helen, lfpw and ibug. split: one of SPLITS; "validation" is the part that a
    written list
    names of the official training faces ("trainval"), so it stays the same however many of these are at hand, and
    "train" all that is on none of its photos.
    Raises DatasetError for an unknown split, a missing folder or a picture without landmarks.
    """
    match split:
        case "train":
            return [sample for sample in load(root, "trainval") if not is_held_back(sample.name)]
        case "validation":
            listed = validation_names()
            chosen = [
                sample
                for folder in TRAIN_FOLDERS
                for sample in load_folder(root / folder, "validation")
                if f"{folder}/{sample.path.stem}" in listed
            ]
            if not chosen:
                expected = f"expected some of the {len(listed)} that {VALIDATION_LIST.name} lists"
                raise DatasetError(f"{root}: no validation face in it; {expected}")
            return chosen
        case "trainval":
            return _load_folders(root, TRAIN_FOLDERS, "train")
        case "full":
            return [sample for subset in TEST_FOLDERS for sample in load(root, subset)]
        case _ if split in TEST_FOLDERS:
            return _load_folders(root, TEST_FOLDERS[split], split)
        case _:
            raise DatasetError(f"300W has no split {split!r}; expected one of {', '.join(SPLITS)}")


def load_train_validation(
    root: Path, extra: Sequence[Path] = (), *, extra_weight: float = 1.0
) -> tuple[list[Sample], list[Sample]]:
    """The faces of a training, "train" and those of further folders (load_extra), and those to watch it by."""
    return load(root, "train") + load_extra(extra, weight=extra_weight), load(root, "validation")


def load_private(root: Path, split: str) -> list[Sample]:
    """The 600 faces of the challenge's own test set (Sagonas et al., Image and Vision Computing 2016).

    root: the folder 300W of the published archive, with 01_Indoor and 02_Outdoor. split: one of PRIVATE_SPLITS, "full"
    being both. Raises DatasetError as load does.
    """
    if split not in PRIVATE_SPLITS:
        raise DatasetError(f"300W private has no split {split!r}; expected one of {', '.join(PRIVATE_SPLITS)}")
    subsets = tuple(PRIVATE_FOLDERS) if split == "full" else (split,)
    return [sample for subset in subsets for sample in load_folder(root / PRIVATE_FOLDERS[subset], subset)]


def load_extra(folders: Sequence[Path], *, weight: float = 1.0) -> list[Sample]:
    """Further training faces, each folder of pictures with .pts files, in subset "extra"; or one that startrack render
    made, of which the share for training joins, its landmarks as 300W's annotators would have set them.

    weight: of each face in the loss; 1 for official landmarks, also on small copies of the photos. Faces of the photos
    that "validation" holds back are left out, so that all may join "train". Raises DatasetError as load does.
    """
    faces = [sample for folder in folders for sample in _further(folder)]
    return [replace(sample, weight=weight) for sample in faces if not is_held_back(sample.name)]


def _further(folder: Path) -> list[Sample]:
    if not rendered.is_rendered(folder):
        return load_folder(folder, "extra")
    return [
        replace(sample, landmarks=with_bias(sample.landmarks, IBUG_68, IBUG_300W_BIAS))
        for sample in rendered.load(folder, "train")
    ]


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


@functools.cache
def validation_names() -> frozenset[str]:
    """Folder and name of each validation face, as "lfpw/trainset/image_0012"."""
    return frozenset(VALIDATION_LIST.read_text(encoding="ascii").split())


def is_held_back(name: str) -> bool:
    """Whether a face (Sample.name) is on a photo of the validation faces, in whatever folder a copy of it lies."""
    return _photo(name) in _validation_photos()


@functools.cache
def _validation_photos() -> frozenset[str]:
    return frozenset(_photo(name) for name in validation_names())


def _photo(name: str) -> str:
    """The name of a face's photo: HELEN and AFW number the faces of one, LFPW has one on each."""
    stem = name.rpartition("/")[2]
    photo, _, number = stem.rpartition("_")
    return photo if number.isdigit() and len(number) == 1 else stem
