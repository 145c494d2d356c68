"""One annotated face of a data set, and the errors of reading one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.types import FloatArray, ImageArray


class DatasetError(Exception):
    """A data set is not as published; the message names file, line and what was expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture and the landmarks of one face in it."""

    path: Path
    landmarks: FloatArray
    """(K, 2) x, y in pixels of the stored picture, 0-based (pixel centres are integers)."""
    subset: str
    """Part of the data set that the face belongs to, e.g. "common", "challenging", "train"."""
    weight: float = 1.0
    """Weight of the face in the loss; below 1 for uncertain labels."""

    @property
    def name(self) -> str:
        """The last two folders and the file stem: unique within a data set."""
        return "/".join((*self.path.parts[-3:-1], self.path.stem))

    def read_image(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError if the file is missing or no picture."""
        return read_picture(self.path)


def read_picture(path: Path) -> ImageArray:
    """(H, W, 3) uint8 RGB. Raises DatasetError if the file is missing or no picture."""
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    # no EXIF turning: the landmarks were marked on the stored pixels
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
        raise DatasetError(f"{path}: not a picture that OpenCV can decode")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
