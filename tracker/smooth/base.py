"""The contract of every smoother: one per face, fed with every frame in which the face is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import Landmarks


class Smoother(Protocol):
    """Keeps one face's landmarks steady."""

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        """Smoothed landmarks, frame pixels.

        time_s: the frame's timestamp, strictly increasing. face_size_px: side of the face's ROI, the unit in which
        motion is measured, so that near and far faces are smoothed equally.
        """
        ...


class LateSmoother(Protocol):
    """Keeps one face's landmarks steady, some frames late: frames come out in order, each once."""

    def push(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> list[Landmarks]:
        """Take up the next frame, with the arguments of a Smoother; gives the finished frames, oldest first."""
        ...

    def flush(self) -> list[Landmarks]:
        """All that waits, oldest first; nothing before it counts for later frames."""
        ...


class AtOnce:
    """A smoother that needs no frame ahead, as one that is zero frames late."""

    def __init__(self, smoother: Smoother) -> None:
        self._smoother = smoother

    def push(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> list[Landmarks]:
        return [self._smoother(landmarks, time_s, face_size_px)]

    def flush(self) -> list[Landmarks]:
        """Nothing; a face that is lost gets a new smoother."""
        return []


MakeSmoother: TypeAlias = Callable[[LandmarkScheme], Smoother]
"""Makes the smoother of a newborn track."""
MakeLateSmoother: TypeAlias = Callable[[LandmarkScheme], LateSmoother]
"""The same of one that is late."""
