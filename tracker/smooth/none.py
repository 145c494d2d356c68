"""No smoothing: landmarks as the network gives them."""

from __future__ import annotations

from tracker.types import Landmarks


class NoSmoothing:
    """Gives back what it gets."""

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        return landmarks
