"""A face box named by the user in place of a detector."""

from __future__ import annotations

import numpy as np

from tracker.types import FaceBox, Frame


def parse_box(text: str) -> FaceBox:
    """ "X,Y,W,H" in frame pixels → a box. Raises ValueError."""
    try:
        x, y, width, height = (float(value) for value in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}; expected X,Y,W,H in pixels") from None
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
        raise ValueError(f"{text!r}; expected a width and a height above 0")
    return FaceBox(np.array([x, y, x + width, y + height]), 1.0)


class FixedDetector:
    """Says that there is a face in one given box, in every frame that is asked about."""

    def __init__(self, box: FaceBox) -> None:
        self._box = box

    def __call__(self, frame: Frame) -> list[FaceBox]:
        return [self._box]

    def close(self) -> None:
        """Nothing to free."""
