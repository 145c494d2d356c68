"""WFLW as published (Wu et al., CVPR 2018): lists of 98 landmarks, a box and six attributes for each face.

Coordinates are taken unchanged, as pixels counted from 0, as in the code published with papers on WFLW.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from startrack.outside import read_text, reason
from startrack.tracker.schemes import WFLW_98
from startrack.train.sets.sample import DatasetError, Sample, picture_below

SPLITS = ("train", "test")
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""In the order of the lists' flags, and of the papers' tables."""
LIST_FOLDER = "WFLW_annotations/list_98pt_rect_attr_train_test"
PICTURE_FOLDER = "WFLW_images"
NUM_COORDINATES = 2 * WFLW_98.num_landmarks
NUM_FIELDS = NUM_COORDINATES + 4 + len(ATTRIBUTES) + 1


def load(root: Path, split: str) -> list[Sample]:
    """Faces of a split (one of SPLITS), in the order of the list; a face may have several attributes or none.

    root: the folder that holds WFLW_annotations and WFLW_images. Sample.entry is the line of the list, since a picture
    can show several faces. Raises DatasetError, with file and line, for whatever is not as published.
    """
    if split not in SPLITS:
        raise DatasetError(f"WFLW has no split {split!r}; expected one of {', '.join(SPLITS)}")
    return read_list(root / LIST_FOLDER / f"list_98pt_rect_attr_{split}.txt", root / PICTURE_FOLDER, split)


def read_list(path: Path, pictures: Path, subset: str) -> list[Sample]:
    """The faces of one list whose picture names are below `pictures`. Raises DatasetError with file and line."""
    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}; expected the published layout of WFLW") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    samples = [_sample(f"{path}:{number}", line, pictures, subset) for number, line in numbered if line]
    if not samples:
        raise DatasetError(f"{path}: no face in it")
    return samples


def _sample(where: str, line: str, pictures: Path, subset: str) -> Sample:
    # a picture's name comes last and may hold spaces
    fields = line.split(maxsplit=NUM_FIELDS - 1)
    if len(fields) != NUM_FIELDS:
        raise DatasetError(
            f"{where}: {len(fields)} fields, expected {NUM_FIELDS}: {NUM_COORDINATES} coordinates, a box, "
            f"{len(ATTRIBUTES)} flags and a picture's name"
        )
    try:
        numbers = np.array(fields[:-1], np.float64)
    except ValueError as error:
        raise DatasetError(f"{where}: numbers expected before the picture's name: {reason(error)}") from None
    box, flags = numbers[NUM_COORDINATES:][:4], numbers[NUM_COORDINATES + 4 :]
    if not np.isfinite(numbers).all():
        raise DatasetError(f"{where}: a number that is not finite")
    if not (box[:2] < box[2:]).all():
        raise DatasetError(f"{where}: box {box.tolist()}; expected left, top, right, bottom")
    if not np.isin(flags, (0, 1)).all():
        raise DatasetError(f"{where}: attributes {flags.tolist()}; expected six flags of 0 or 1")
    return Sample(
        path=picture_below(pictures, fields[-1], where),
        landmarks=numbers[:NUM_COORDINATES].reshape(-1, 2),
        subset=subset,
        entry=where.rpartition(":")[2],
        attributes=tuple(name for name, flag in zip(ATTRIBUTES, flags, strict=True) if flag),
        box=box,
    )
