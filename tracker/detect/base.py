"""The contract of every face detector."""

from __future__ import annotations

from typing import Protocol

from startrack.closing import Closing
from startrack.tracker.types import FaceBox, Frame


class FaceDetector(Closing, Protocol):
    """Finds the faces of one frame."""

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes in frame pixels."""
        ...

    def close(self) -> None:
        """Free the model; the detector cannot be used afterwards."""
        ...
