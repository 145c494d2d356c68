"""The lists that STAR and ADNet were trained on: a line per face, fields parted by tabs.

Fields: picture, five points, landmarks as x,y,x,y…, scale, centre x, centre y, perhaps tags (WFLW's six attributes).
The square to crop has its side at 200 · scale. The five points are not used, as in STAR.

[TRAP] The official training and test read these lists with their first line taken for a header, whatever it is, the
official evaluate.py with every line a face. Here a first line without numbers is a header and any other is a face, so
a list without a header has one face more than the official test counts.

The lists of COFW (29 landmarks) carry MATLAB's coordinates, which count from 1: 1 is subtracted from landmarks and
centre. [TRAP] STAR reads them as if they counted from 0, so its published COFW weights point one pixel of the picture
too far right and down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.outside import read_text, reason
from startrack.tracker.schemes import COFW_29, WFLW_98
from startrack.train.sets.sample import DatasetError, Sample, picture_below
from startrack.train.sets.star_crop import roi_from_scale
from startrack.train.sets.wflw import ATTRIBUTES

WFLW_PICTURES = "WFLW_images"
NUM_FIELDS = 6


def load(root: Path, split: str) -> list[Sample]:
    """The faces of the list root/split.tsv, in its order; Sample.entry is the line.

    root: a folder with the lists and, below it, the pictures that they name (those of WFLW in WFLW_images). Raises
    DatasetError, with file and line, for a missing list and for a line that is not as above.
    """
    path = root / f"{split}.tsv"
    if not path.is_file():
        lists = ", ".join(sorted(file.stem for file in root.glob("*.tsv"))) or "no list"
        raise DatasetError(f"{path}: no such list; found {lists}")
    pictures = root / WFLW_PICTURES if (root / WFLW_PICTURES).is_dir() else root
    return read_list(path, pictures, split)


def read_list(path: Path, pictures: Path, subset: str) -> list[Sample]:
    """The faces of one list; its pictures are below `pictures`. Raises DatasetError with file and line."""
    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    rows = [
        _Row(f"{path}:{number}", str(number), line.rstrip("\r").split("\t")) for number, line in enumerate(lines, 1)
    ]
    rows = [row for row in rows if row.fields != [""]]
    if rows and rows[0].is_header:
        rows = rows[1:]
    if not rows:
        raise DatasetError(f"{path}: no face in it")
    samples = [_sample(row, pictures, subset) for row in rows]
    count = len(samples[0].landmarks)
    for row, sample in zip(rows, samples, strict=True):
        if len(sample.landmarks) != count:
            raise DatasetError(f"{row.where}: {len(sample.landmarks)} landmarks, expected {count} as in line 1")
    return samples


@dataclass(frozen=True)
class _Row:
    where: str
    """File and line."""
    number: str
    fields: list[str]

    @property
    def is_header(self) -> bool:
        """Whether no field that must hold numbers has one."""
        return len(self.fields) >= NUM_FIELDS and not any(_has_number(field) for field in self.fields[1:NUM_FIELDS])

    def numbers(self, column: int, what: str) -> NDArray[np.float64]:
        try:
            values = np.array(self.fields[column].split(","), np.float64)
        except ValueError:
            values = np.full(1, np.nan)
        if not np.isfinite(values).all():
            raise DatasetError(
                f"{self.where}: {what} expected in field {column + 1}, found {self.fields[column][:40]!r}"
            )
        return values


def _has_number(text: str) -> bool:
    try:
        float(text.split(",")[0])
    except ValueError:
        return False
    return True


def _sample(row: _Row, pictures: Path, subset: str) -> Sample:
    if len(row.fields) < NUM_FIELDS:
        raise DatasetError(f"{row.where}: {len(row.fields)} fields, expected {NUM_FIELDS} or more, parted by tabs")
    coordinates = row.numbers(2, "landmarks as x,y,x,y")
    if len(coordinates) % 2:
        raise DatasetError(f"{row.where}: {len(coordinates)} coordinates, expected x and y of each landmark")
    scale, x, y = (row.numbers(column, what) for column, what in ((3, "scale"), (4, "centre x"), (5, "centre y")))
    if not len(scale) == len(x) == len(y) == 1 or scale[0] <= 0:
        raise DatasetError(f"{row.where}: scale {row.fields[3]!r}; expected one number above 0, then centre x and y")
    landmarks = coordinates.reshape(-1, 2)
    first = 1 if len(landmarks) == COFW_29.num_landmarks else 0
    return Sample(
        path=picture_below(pictures, clean_path(row.fields[0]), row.where),
        landmarks=landmarks - first,
        subset=subset,
        entry=row.number,
        attributes=_attributes(row, len(landmarks)),
        roi=roi_from_scale(x[0] - first, y[0] - first, scale[0]),
    )


def _attributes(row: _Row, num_landmarks: int) -> tuple[str, ...]:
    if num_landmarks != WFLW_98.num_landmarks or len(row.fields) == NUM_FIELDS:
        return ()
    flags = row.numbers(NUM_FIELDS, "six flags")
    if len(flags) != len(ATTRIBUTES):
        raise DatasetError(f"{row.where}: {len(flags)} flags, expected {len(ATTRIBUTES)}")
    return tuple(name for name, flag in zip(ATTRIBUTES, flags, strict=True) if flag)


def clean_path(name: str) -> str:
    """A picture's path as the lists have it → below the data set's folder, with slashes.

    The lists name the machine they were made on: the part before rawImages/ goes, as in the official code.
    """
    name = name.strip().replace("\\", "/")
    return name.rpartition("rawImages/")[2].removeprefix("./")
