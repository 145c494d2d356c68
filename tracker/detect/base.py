"""The contract of every face detector, and that of one which can be given the faces that are followed already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from startrack.closing import Closing
from startrack.tracker.types import FaceBox, FloatArray, Frame


class FaceDetector(Closing, Protocol):
    """Finds the faces of one frame."""

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes in frame pixels."""
        ...

    def close(self) -> None:
        """Free the model; the detector cannot be used afterwards."""
        ...


@runtime_checkable
class FindsBeside(Protocol):
    """What a FaceDetector may be able to do, too: save work where faces are known. The tracker then calls this."""

    def find_beside(self, frame: Frame, known: Sequence[FloatArray]) -> list[FaceBox]:
        """All faces of the frame, those that are known included, best score first, boxes in frame pixels.

        known: (4,) xyxy in frame pixels of each face that is followed in this frame.
        """
        ...


def find_faces(detect: FaceDetector, frame: Frame, known: Sequence[FloatArray]) -> list[FaceBox]:
    """All faces of the frame as any detector finds them; known: as for FindsBeside."""
    return detect.find_beside(frame, known) if isinstance(detect, FindsBeside) else detect(frame)
