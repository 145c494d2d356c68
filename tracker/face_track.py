"""One face's changing state: where its next crop is cut, and its smoother."""

from __future__ import annotations

import math

from tracker.crop import bounding_box, roi_from_landmarks
from tracker.face_motion import FaceMotion
from tracker.schemes import LandmarkScheme
from tracker.smooth.base import MakeSmoother
from tracker.types import Landmarks, Roi, Track


class FaceTrack:
    """A face that is followed from frame to frame: born with its first `see`, revived by the first after `lose`."""

    def __init__(self, track_id: int, scheme: LandmarkScheme, crop_scale: float, make_smoother: MakeSmoother) -> None:
        self.id = track_id
        self.seen_s = -math.inf
        """Timestamp of the last frame in which the face was seen."""
        self._scheme = scheme
        self._crop_scale = crop_scale
        self._make_smoother = make_smoother
        self._smoother = make_smoother()
        self._roi: Roi | None = None
        self.motion = FaceMotion()

    @property
    def roi(self) -> Roi:
        """Where to cut the next crop; the face must have been seen before."""
        assert self._roi is not None
        return self._roi

    def see(self, landmarks: Landmarks, roi: Roi, time_s: float) -> Track:
        """Take up the landmarks read from the crop at `roi`; gives the track as it shall be shown."""
        self.seen_s = time_s
        self.motion.see(landmarks.points, time_s)
        self._roi = steady_roi(roi, roi_from_landmarks(landmarks.points, self._scheme, self._crop_scale))
        smooth = self._smoother(landmarks, time_s, roi.side)
        return Track(self.id, smooth, bounding_box(smooth.points), roi)

    def lose(self) -> None:
        """The face was not seen where it should be."""
        # where it hides is unknown: nothing before the gap may pull at the points
        self._smoother = self._make_smoother()


def steady_roi(present: Roi, wanted: Roi, *, shift: float = 0.04, zoom: float = 0.05, turn_rad: float = 0.06) -> Roi:
    """The present ROI as long as the wanted one differs little from it, in shares of its side.

    A crop that trembles with the landmarks makes the landmarks tremble: over a still face the crop stays put, and a
    still picture gives the same landmarks for ever. The tolerances lie well inside what the networks are trained for.
    """
    moved = math.hypot(*(wanted.centre - present.centre)) / present.side
    turned = math.remainder(wanted.angle_rad - present.angle_rad, math.tau)
    scaled = math.log(wanted.side / present.side)
    return present if moved < shift and abs(scaled) < zoom and abs(turned) < turn_rad else wanted
