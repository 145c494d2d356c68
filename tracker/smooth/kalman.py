"""Kalman smoothing in two parts: the head's rigid motion, then each landmark in the face's own frame.

The measurement noise of a landmark has the shape of its heatmap's covariance: a point on the jaw is held less firmly
along the jaw than across it, a hidden one less than a visible one. No reading is ever doubted: a motion that a point
of a real face seems to have moved it nearly always has.
"""

from __future__ import annotations

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.curves import PerPart
from startrack.tracker.smooth.face_filter import FaceFilter, FilterSettings
from startrack.tracker.smooth.face_frame import FaceFrame
from startrack.tracker.types import Landmarks

CAUSAL = FilterSettings(
    strength=1.0,
    noise_gain=10.0,
    head_gain=8.4,
    memory_s=2.0,
    turn_speed=0.2,
    head_speed=2.0,
    head_turn_speed=0.5,
    half=PerPart(rest=2.6, lids=0.45, lips=0.5, steady=7.2),
    half_head=2.0,
    rigid_speed=PerPart(rest=1.3, lids=1e9, lips=2.5, steady=1e9),
    whole=PerPart(rest=1.0, lids=0.3, lips=0.0, steady=1.0),
)
LONGEST_STEP_S = 0.5
"""A gap after which nothing from before counts."""


class Kalman:
    """A constant-velocity Kalman filter for the head, and one for every landmark on it; needs no frame ahead."""

    def __init__(self, scheme: LandmarkScheme, settings: FilterSettings = CAUSAL) -> None:
        self._scheme, self._settings = scheme, settings
        self._time_s = -LONGEST_STEP_S
        self._frame: FaceFrame | None = None
        self._filter: FaceFilter | None = None

    def __call__(self, landmarks: Landmarks, time_s: float, face_size_px: float) -> Landmarks:
        """See startrack.tracker.smooth.base.Smoother; points are filtered, all else passes through."""
        gap_s, self._time_s = time_s - self._time_s, time_s
        if self._frame is None or self._filter is None or gap_s > LONGEST_STEP_S:
            self._frame = FaceFrame(self._scheme, landmarks, time_s, face_size_px)
            self._filter = FaceFilter(self._scheme, self._settings, self._frame.read(landmarks, time_s))
            points = landmarks.points
        else:
            points = self._frame.points(self._filter.step(self._frame.read(landmarks, time_s)).place)
        return landmarks.smoothed(points)
