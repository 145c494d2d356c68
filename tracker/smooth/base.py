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
        motion is measured, so that near and far faces are smoothed alike.
        """
        ...


MakeSmoother: TypeAlias = Callable[[LandmarkScheme], Smoother]
"""Makes the smoother of a newborn track."""
