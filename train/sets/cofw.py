"""COFW as published (Burgos-Artizzu et al., ICCV 2013): pictures, 29 landmarks and what hides them, in MATLAB files.

The colour release is MATLAB 7.3, which is HDF5: an array's axes are in reverse order there, a cell is a reference.
MATLAB counts pixels from 1, the program from 0: 1 is subtracted from landmarks and boxes.
"""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.outside import check_ordinary, reason
from startrack.tracker.schemes import COFW_29
from startrack.tracker.types import ImageArray
from startrack.train.sets.sample import HIDDEN, VISIBLE, DatasetError, Sample

DAMAGED = (IndexError, KeyError, OSError, TypeError, ValueError, AttributeError, RuntimeError)
"""What h5py raises for a damaged file."""
FILES = {"train": ("COFW_train_color.mat", "Tr"), "test": ("COFW_test_color.mat", "T")}
"""Split → file and the ending of its arrays' names."""
SPLITS = tuple(FILES)
MOST_VALUES = 200_000_000
"""Of one array: a file may state any size."""
NUM_LANDMARKS = COFW_29.num_landmarks


def load(root: Path, split: str) -> list[Sample]:
    """Faces of a split (one of SPLITS), in the order of the file; entry is the face's number there, from 1.

    root: the folder that holds the .mat files. Pictures stay in the file until they are read. Raises DatasetError for
    whatever is not as published, ImportError without h5py.
    """
    if split not in FILES:
        raise DatasetError(f"COFW has no split {split!r}; expected one of {', '.join(SPLITS)}")
    name, ending = FILES[split]
    path = root / name
    with _open(path) as file:
        pictures = _array(path, file, f"Is{ending}")
        phis_N87 = _matrix(path, file, f"phis{ending}", 3 * NUM_LANDMARKS)
        boxes_N4 = _matrix(path, file, f"bboxes{ending}", 4)
        count = pictures.size
    if not count or not count == len(phis_N87) == len(boxes_N4):
        raise DatasetError(
            f"{path}: {count} pictures, {len(phis_N87)} rows of landmarks, {len(boxes_N4)} boxes; expected one of each"
        )
    rows = zip(phis_N87, boxes_N4, strict=True)
    return [_sample(path, f"Is{ending}", index, split, phis, box) for index, (phis, box) in enumerate(rows)]


def _sample(
    path: Path, cells: str, index: int, split: str, phis: NDArray[np.float64], box: NDArray[np.float64]
) -> Sample:
    """phis: 29 x, 29 y, 29 flags of occlusion; box: x, y, width, height."""
    flags = phis[2 * NUM_LANDMARKS :]
    if not (np.isfinite(phis).all() and np.isfinite(box).all() and np.isin(flags, (0, 1)).all() and box[2:].min() > 0):
        raise DatasetError(
            f"{path}: face {index + 1}: expected finite coordinates, flags of 0 or 1 and a box of some size, "
            f"found box {box.tolist()}, flags {flags.tolist()}"
        )
    left_top = box[:2] - 1
    return Sample(
        path=path,
        landmarks=phis[: 2 * NUM_LANDMARKS].reshape(2, NUM_LANDMARKS).T - 1,
        subset=split,
        entry=str(index + 1),
        visibility=np.where(flags == 1, HIDDEN, VISIBLE).astype(np.uint8),
        box=np.concatenate([left_top, left_top + box[2:]]),
        picture=MatPicture(path, cells, index),
    )


@dataclass(frozen=True, slots=True)
class MatPicture:
    """One cell of a cell array of pictures, read when it is asked for."""

    path: Path
    cells: str
    """Name of the cell array."""
    index: int
    """From 0."""

    def read(self) -> ImageArray:
        """(H, W, 3) uint8 RGB; grey pictures get three equal channels. Raises DatasetError."""
        with _open(self.path) as file:
            cells = _array(self.path, file, self.cells)
            try:
                found = file[cells[()].reshape(-1)[self.index]]
                if found.size > MOST_VALUES:
                    raise ValueError(f"{found.size} values; expected {MOST_VALUES} at most")
                stored = np.asarray(found)
            except DAMAGED as error:
                raise DatasetError(
                    f"{self.path}: {self.cells} {self.index + 1} cannot be read: {reason(error)}"
                ) from error
        if stored.dtype != np.uint8 or stored.ndim not in (2, 3) or stored.shape[: stored.ndim - 2] not in ((), (3,)):
            raise DatasetError(
                f"{self.path}: {self.cells} {self.index + 1} is {stored.dtype} {stored.shape}, expected a picture of "
                "bytes, (3, W, H) or (W, H)"
            )
        image = stored.T if stored.ndim == 3 else np.repeat(stored.T[..., None], 3, axis=2)
        return np.ascontiguousarray(image)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError("h5py is not installed", name="h5py") from error
    try:
        check_ordinary(path)
        file = h5py.File(path, "r")
    except OSError as error:
        why = error.strerror or "not a MATLAB 7.3 file"
        raise DatasetError(f"{path}: cannot be read: {why}; expected COFW's colour release") from error
    with file:
        try:
            yield file
        except DAMAGED as error:
            raise DatasetError(f"{path}: cannot be read: {reason(error)}; expected COFW's colour release") from error


def _array(path: Path, file: Any, name: str) -> Any:
    if name not in file or not hasattr(file[name], "shape"):
        raise DatasetError(f"{path}: no array {name}; found {', '.join(file) or 'nothing'}")
    return file[name]


def _matrix(path: Path, file: Any, name: str, columns: int) -> NDArray[np.float64]:
    """(N, columns) as MATLAB shows it."""
    stored = _array(path, file, name)
    if stored.size > MOST_VALUES:
        raise DatasetError(f"{path}: {name} has {stored.size} values; expected {MOST_VALUES} at most")
    if len(stored.shape) != 2 or stored.shape[0] != columns or stored.dtype.kind not in "fiu":
        shape = "×".join(str(side) for side in reversed(stored.shape))
        raise DatasetError(f"{path}: {name} is {stored.dtype} {shape}, expected numbers, faces×{columns}")
    try:
        return np.asarray(stored, np.float64).T
    except DAMAGED as error:
        raise DatasetError(f"{path}: {name} cannot be read: {reason(error)}") from error
