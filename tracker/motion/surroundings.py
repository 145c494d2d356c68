"""Changes around the followed faces since a detector last looked: whether it is to look again."""

# h w rows and columns of a thumbnail

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray


class Change(Enum):
    """How the surroundings differ from those of the last look."""

    NONE = 0
    """At most noise: nobody has come."""
    COMMON = 1
    """The camera moves or shakes, or the bodies of the followed faces move."""
    LOCAL = 2
    """Something else has come into a picture that rests: it may be somebody."""


class Surroundings:
    """Compares thumbnails (tracker.motion.cuts), without the followed faces, where they are and where they were."""

    LEVELS = 4.0
    """Change of a cell, in grey levels, that is no noise; the median change, such as a light's, is taken off first."""
    ALL = 0.4
    """Share of new cells from which the camera moves."""
    NEAR = np.ones((3, 3), np.uint8)
    """Neighbours among whose grey levels a cell stays while the camera shakes."""
    BODY = 1.0
    """Width of the shoulders on either side of a face, and height of the hair above it, in sides of its box."""

    def __init__(self) -> None:
        self._seen: ImageArray | None = None
        self._size = (0, 0)
        self._boxes: tuple[FloatArray, ...] = ()

    def look(self, thumbnail: ImageArray, size: tuple[int, int], boxes: Sequence[FloatArray]) -> None:
        """Remember the picture that the detector sees now.

        thumbnail: (h, w) grey levels of the whole picture. size: its width and height in pixels. boxes: (4,) xyxy frame
        pixels of each followed face.
        """
        self._seen, self._size, self._boxes = thumbnail, size, tuple(boxes)

    def change(self, thumbnail: ImageArray, size: tuple[int, int], boxes: Sequence[FloatArray]) -> Change:
        """Kind of the changes since the last look; the arguments as for `look`."""
        if self._seen is None or size != self._size or self._seen.shape != thumbnail.shape:
            return Change.LOCAL
        difference = cv2.subtract(thumbnail, self._seen, dtype=cv2.CV_32F)
        light = float(np.median(difference))
        faces, bodies = self._zones(thumbnail.shape, (*self._boxes, *boxes))
        changed = (np.abs(difference - light) > self.LEVELS) & ~faces
        if not changed.any():
            return Change.NONE
        now = thumbnail - light
        above = now > cv2.dilate(self._seen, self.NEAR) + self.LEVELS
        below = now < cv2.erode(self._seen, self.NEAR) - self.LEVELS
        new = changed & (above | below)
        is_camera = np.count_nonzero(new) >= self.ALL * new.size
        return Change.LOCAL if not is_camera and (new & ~bodies).any() else Change.COMMON

    def _zones(
        self, shape: tuple[int, ...], boxes: Sequence[FloatArray]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(h, w) cells that faces touch, hair included, and those that their bodies may."""
        faces, bodies = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        down, across = shape[0] / max(self._size[1], 1), shape[1] / max(self._size[0], 1)
        for box in boxes:
            left, top, right, bottom = box.tolist()
            side = max(right - left, bottom - top)
            hair = _cells(left - 0.3 * side, right + 0.3 * side, across)
            faces[_cells(top - 0.6 * side, bottom + 0.3 * side, down), hair] = True
            shoulders = _cells(left - self.BODY * side, right + self.BODY * side, across)
            bodies[_cells(top - self.BODY * side, self._size[1], down), shoulders] = True
        return faces, bodies


def _cells(low: float, high: float, per_pixel: float) -> slice:
    """The cells that the pixels from low to high lie in."""
    return slice(max(int(low * per_pixel), 0), max(int(high * per_pixel) + 1, 0))
