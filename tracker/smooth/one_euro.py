"""The 1€ filter (Casiez, Roussel, Vogel, CHI 2012) on all points of a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from startrack.tracker.motion.one_euro_filter import Float64Array, OneEuroFilter
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import Landmarks


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """Cut-off frequency of a point = min_cutoff_hz + beta · speed, speed in face sizes per second.

    The values of MediaPipe's FaceLandmarker (face_landmarks_detector_graph.cc).
    """

    min_cutoff_hz: float = 0.05
    beta: float = 80.0
    derivative_cutoff_hz: float = 1.0


class OneEuro:
    """A smoother by the 1€ filter.

    Speeds are in face sizes per second, so near and far faces are smoothed equally, and are taken per landmark over
    both axes, so that the filter does not depend on the direction of motion.
    """

    def __init__(self, scheme: LandmarkScheme | None = None, settings: OneEuroSettings | None = None) -> None:
        """scheme: as for every smoother; not needed, all landmarks are filtered equally."""
        chosen = settings or OneEuroSettings()
        self._filter = OneEuroFilter(
            chosen.min_cutoff_hz, chosen.beta, chosen.derivative_cutoff_hz, speed=_speed_of_landmarks
        )

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        """See tracker.smooth.base.Smoother; points are filtered, covariance and score pass through."""
        points = self._filter(np.asarray(landmarks.points, np.float64), time_s, unit=face_size_px)
        return landmarks.smoothed(points)


def _speed_of_landmarks(velocity_K2: Float64Array) -> Float64Array:
    """(K, 1)."""
    speed: Float64Array = np.linalg.norm(velocity_K2, axis=-1, keepdims=True)
    return speed
