"""The 1€ filter (Casiez, Roussel, Vogel, CHI 2012) on all points of a face."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Landmarks


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """Cut-off frequency of a point = min_cutoff_hz + beta · speed, speed in face sizes per second.

    The values of MediaPipe's FaceLandmarker (face_landmarks_detector_graph.cc).
    """

    min_cutoff_hz: float = 0.05
    beta: float = 80.0
    derivative_cutoff_hz: float = 1.0


class OneEuro:
    """A low-pass filter that opens with speed: steady when still, prompt when moving.

    Speeds are in face sizes per second, so near and far faces are smoothed equally, and are taken per landmark over
    both axes, so that the filter does not depend on the direction of motion.
    """

    def __init__(self, scheme: LandmarkScheme | None = None, settings: OneEuroSettings | None = None) -> None:
        """scheme: as for every smoother; not needed, all landmarks are filtered equally."""
        self._settings = settings or OneEuroSettings()
        self._time_s = -math.inf
        self._raw: FloatArray | None = None
        self._smooth: FloatArray | None = None
        self._velocity: FloatArray | None = None

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        """See tracker.smooth.base.Smoother; points are filtered, covariance and score pass through."""
        points = np.asarray(landmarks.points, np.float64)
        if self._raw is None or self._smooth is None or self._velocity is None:
            self._smooth, self._velocity = points, np.zeros_like(points)
        else:
            step_s = time_s - self._time_s
            settings = self._settings
            velocity = (points - self._raw) / (step_s * face_size_px)
            share = _share(np.float64(settings.derivative_cutoff_hz), step_s)
            self._velocity = self._velocity + share * (velocity - self._velocity)
            speed = np.linalg.norm(self._velocity, axis=-1, keepdims=True)
            share = _share(settings.min_cutoff_hz + settings.beta * speed, step_s)
            self._smooth = self._smooth + share * (points - self._smooth)
        self._raw, self._time_s = points, time_s
        return replace(landmarks, points=self._smooth, raw_points=landmarks.points)


def _share(cutoff_hz: FloatArray | np.float64, step_s: float) -> FloatArray | np.float64:
    """Weight of the new value in an exponential filter of this cut-off at this step."""
    turn = 2 * math.pi * cutoff_hz * step_s
    share: FloatArray | np.float64 = turn / (1 + turn)
    return share
