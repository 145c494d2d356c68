"""No smoothing: landmarks as the network gives them."""

from __future__ import annotations

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import Landmarks


class NoSmoothing:
    """Gives back what it gets."""

    def __init__(self, scheme: LandmarkScheme | None = None) -> None:
        """scheme: as every smoother is told; not needed."""

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        return landmarks
