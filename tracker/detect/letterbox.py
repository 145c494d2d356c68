"""Frame → the picture that a detector looks at, and its coordinates back to the frame's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray


@dataclass(frozen=True, slots=True, eq=False)
class Letterbox:
    """A frame shrunk into the upper left corner of a picture; the rest is black."""

    picture: ImageArray
    """(H, W, 3) uint8, H and W multiples of the asked step."""
    zoom: FloatArray
    """(2,) picture pixels per frame pixel, across and down; 1 at most."""
    content: ImageArray
    """The part of the picture that shows the frame."""

    def to_frame(self, points: FloatArray) -> NDArray[np.float64]:
        """(..., 2) picture pixels → frame pixels."""
        return (np.asarray(points, np.float64) + 0.5) / self.zoom - 0.5

    def to_picture(self, points: FloatArray) -> NDArray[np.float64]:
        """(..., 2) frame pixels → picture pixels; the inverse of to_frame."""
        return (np.asarray(points, np.float64) + 0.5) * self.zoom - 0.5


def letterbox(image: ImageArray, longer_side: int, step: int) -> Letterbox:
    """Shrink (H, W, 3) until its longer side is at most `longer_side`; each side is padded to a multiple of step.

    Small pictures keep their size: enlarging shows a detector nothing new.
    """
    height, width = image.shape[:2]
    zoom = min(1.0, longer_side / max(height, width))
    rows, columns = max(round(height * zoom), 1), max(round(width * zoom), 1)
    picture = np.zeros((-(-rows // step) * step, -(-columns // step) * step, 3), np.uint8)
    if (rows, columns) == (height, width):
        picture[:rows, :columns] = image
    else:
        picture[:rows, :columns] = _shrunk(_halved(image, rows, columns), rows, columns)
    return Letterbox(picture, np.array([columns / width, rows / height]), picture[:rows, :columns])


def smaller(boxed: Letterbox, longer_side: int, step: int) -> Letterbox:
    """The same frame in a smaller picture, shrunk from the one that is there: a frame is much more to read."""
    again = letterbox(boxed.content, longer_side, step)
    return replace(again, zoom=again.zoom * boxed.zoom)


def _shrunk(image: ImageArray, rows: int, columns: int) -> ImageArray:
    # by less than half, four pixels of each place are enough: OpenCV averages broken ones in eight times the time
    is_little = image.shape[0] <= 2 * rows and image.shape[1] <= 2 * columns
    how = cv2.INTER_LINEAR if is_little else cv2.INTER_AREA
    return cv2.resize(image, (columns, rows), interpolation=how)  # type: ignore[return-value]


def _halved(image: ImageArray, rows: int, columns: int) -> ImageArray:
    """Halved while it stays at or above (rows, columns): OpenCV averages 2×2 blocks far faster than any others (720p to
    320×180: 0.36 instead of 0.98 ms)."""
    while image.shape[0] >= 2 * rows and image.shape[1] >= 2 * columns and not (image.shape[0] | image.shape[1]) & 1:
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return image
