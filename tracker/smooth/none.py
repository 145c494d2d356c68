"""No smoothing: landmarks as the network gives them."""

from __future__ import annotations

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import Landmarks


class NoSmoothing:
    """Gives back its input."""

    def __init__(self, scheme: LandmarkScheme | None = None) -> None:
        """scheme: as for every smoother; not needed."""

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        return landmarks
