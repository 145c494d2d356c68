"""One annotated face of a data set, how its picture is read, and the errors of reading one."""

# K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.errors import StartrackError
from startrack.outside import read_bounded, reason, shown
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.tracker.video.base import LARGEST_PIXELS
from startrack.tracker.video.picture_file.header import read_header

NOT_ANNOTATED, HIDDEN, VISIBLE = 0, 1, 2
"""Values of Sample.visibility, as in COCO's keypoints."""


LARGEST_PICTURE = 1 << 28
"""Bytes of a picture's file."""


class DatasetError(StartrackError):
    """A data set is not as published; the message names file, line and the expected value."""


class Picture(Protocol):
    """A picture inside a larger file: a frame of a video, an array of a .mat file. Cheap to keep and to pickle."""

    def read(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError if it cannot be read."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture and the landmarks of one face in it."""

    path: Path
    """The file that shows the face: a picture, or what `picture` reads from."""
    landmarks: FloatArray
    """(K, 2) x, y in pixels of the stored picture, 0-based (pixel centres are integers). NaN where not annotated."""
    subset: str
    """Part of the data set that the face belongs to, e.g. "common", "challenging", "train": every face is in one."""
    weight: float = 1.0
    """Weight of the face in the loss; below 1 for uncertain labels."""
    entry: str = ""
    """Which face of the file, where a file can show several: a line of the list, a frame, an index."""
    attributes: tuple[str, ...] = ()
    """Attributes of the face, e.g. WFLW's "pose", "blur": none, one or several; each is a row of the table
    next to the subsets."""
    visibility: NDArray[np.uint8] | None = None
    """(K,) NOT_ANNOTATED, HIDDEN or VISIBLE; None: all are annotated, and nothing is known of what hides them."""
    box: FloatArray | None = None
    """(4,) xyxy, the face's box as published, pixels as `landmarks`; None if the data set has none."""
    roi: Roi | None = None
    """The square that the data set says to crop (STAR's lists: 200 · scale around a centre); None if it says none."""
    picture: Picture | None = None
    """What reads the picture; None: `path` is a picture."""

    @property
    def name(self) -> str:
        """The last two folders and the file stem, and #entry if there is one: unique within a data set."""
        stem = "/".join((*self.path.parts[-3:-1], self.path.stem))
        return f"{stem}#{self.entry}" if self.entry else stem

    @property
    def annotated(self) -> NDArray[np.bool_]:
        """(K,) whether the landmark's place is known."""
        if self.visibility is None:
            return np.ones(len(self.landmarks), bool)
        known: NDArray[np.bool_] = self.visibility != NOT_ANNOTATED
        return known

    def read_image(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError if the file is missing or no picture."""
        return read_picture(self.path) if self.picture is None else self.picture.read()


def fully_annotated(samples: Sequence[Sample], num_landmarks: int) -> list[Sample]:
    """The faces whose landmarks all have a place.

    Raises DatasetError for a face of another number of landmarks, and if no face is left.
    """
    for sample in samples:
        if np.shape(sample.landmarks) != (num_landmarks, 2):
            raise DatasetError(
                f"{sample.path}: {len(sample.landmarks)} landmarks; expected the model's {num_landmarks}"
            )
    whole = [sample for sample in samples if sample.annotated.all() and np.isfinite(sample.landmarks).all()]
    if not whole:
        raise DatasetError(
            f"none of {len(samples)} faces has all of its {num_landmarks} landmarks; expected one or more"
        )
    return whole


def picture_below(folder: Path, name: str, where: str) -> Path:
    """The path of a picture that a list names. Raises DatasetError if the name leads out of the data set's folder.

    where: file and line of the list, for the message.
    """
    below = isinstance(name, str) and name and "\0" not in name and not Path(name).is_absolute()
    if not below or ".." in Path(name).parts:
        raise DatasetError(f"{where}: picture {shown(name)}; expected a path below {folder}")
    return folder / name


def read_picture(path: Path) -> ImageArray:
    """(H, W, 3) uint8 RGB. Raises DatasetError if the file is missing or no picture."""
    try:
        encoded = np.frombuffer(read_bounded(path, LARGEST_PICTURE), np.uint8)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    _check_size(path, encoded)
    # no EXIF turning: the landmarks were marked on the stored pixels
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(encoded, flags) if encoded.size else None
    except cv2.error as error:
        raise DatasetError(f"{path}: not a picture that OpenCV can decode: {reason(error)}") from error
    if image is None:
        raise DatasetError(f"{path}: not a picture that OpenCV can decode")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _check_size(path: Path, encoded: NDArray[np.uint8]) -> None:
    """Raise DatasetError for a picture whose header asks for more memory than a picture has."""
    header = read_header(encoded.data)
    if header is None:
        raise DatasetError(f"{path}: not a picture that OpenCV can decode")
    for width, height in header.sizes:
        if width * height > LARGEST_PIXELS:
            raise DatasetError(
                f"{path}: {width} × {height} pixels; expected at most {LARGEST_PIXELS // 10**6} million in a picture"
            )
