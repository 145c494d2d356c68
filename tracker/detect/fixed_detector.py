"""A face box named by the user in place of a detector."""

from __future__ import annotations

import numpy as np

from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.types import FaceBox, Frame

LARGEST = 3
"""Times the picture's longer side: a face that fills the picture may reach beyond it."""


def parse_box(text: str, width: int | None = None, height: int | None = None) -> FaceBox:
    """ "X,Y,W,H" in frame pixels → a box, which must touch the picture if its width and height are known already.

    Raises ValueError.
    """
    try:
        x, y, box_width, box_height = (float(value) for value in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}; expected X,Y,W,H in pixels") from None
    if not (box_width > 0 and box_height > 0):
        raise ValueError(f"{text!r}; expected a width and a height above 0")
    if width is not None and height is not None:
        touches = -box_width < x < width and -box_height < y < height
        if not (touches and max(box_width, box_height) <= LARGEST * max(width, height)):
            raise ValueError(f"{text!r}; expected a face in the picture of {width}×{height} pixels")
    return FaceBox(np.array([x, y, x + box_width, y + box_height]), 1.0)


class FixedDetector(FaceDetector):
    """Says that there is a face in one given box, in every frame that is asked about."""

    def __init__(self, box: FaceBox) -> None:
        self._box = box

    def __call__(self, frame: Frame) -> list[FaceBox]:
        return [self._box]

    def close(self) -> None:
        """Nothing to free."""
