"""One face's changing state: where its next crop is cut, its smoother, and how long it has been doubted."""

from __future__ import annotations

import math

from startrack.tracker.crop import bounding_box, roi_from_landmarks
from startrack.tracker.motion.crop_motion import HeadMotion
from startrack.tracker.motion.identity import FaceMotion
from startrack.tracker.motion.similarity import MeanShape
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.base import MakeSmoother
from startrack.tracker.types import FloatArray, Landmarks, Roi, Track

SURE = 0.6
"""Mean score of a reading that is remembered as this face's look: of plain faces nearly all are above 0.8, of heads
that turn away fewer and fewer."""


class FaceTrack:
    """A face that is followed from frame to frame: born with its first `see`, revived by the first after `lose`."""

    def __init__(
        self, track_id: int, scheme: LandmarkScheme, crop_scale: float, make_smoother: MakeSmoother, scene: int = 0
    ) -> None:
        """scene: number of the scene (tracker.motion.cuts) that it belongs to."""
        self.id = track_id
        self.scene = scene
        self.born_s = self.seen_s = -math.inf
        """Timestamps of the first and the last frame in which the face was seen."""
        self.is_checked = False
        """Whether a detector looked at its surroundings when it was no newborn any more."""
        self.times_part = 0
        """Detections in a row that showed it to be a part of another face."""
        self._scheme = scheme
        self._crop_scale = crop_scale
        self._make_smoother = make_smoother
        self._smoother = make_smoother(scheme)
        self._mean_shape = MeanShape(scheme)
        self._head: HeadMotion | None = None
        self._requested: Roi | None = None
        self._points: FloatArray | None = None
        self._is_lost = False
        self._uncertain_from_s = math.inf
        self.motion = FaceMotion()
        self._sure_motion = self.motion
        """As it was at the last sure reading: what follows a head that turns away may be no face any more."""

    def unlike(self, points: FloatArray, time_s: float) -> float:
        """How unlike this face (K, 2) landmarks are that were found elsewhere (FaceMotion.cost): unlike both what it
        was when it was last seen, and when it was last seen clearly."""
        return min(motion.cost(points, time_s) for motion in (self.motion, self._sure_motion))

    @property
    def points(self) -> FloatArray:
        """(K, 2) frame pixels, as they were last read, before smoothing; the face must have been seen before."""
        assert self._points is not None
        return self._points

    def roi_at(self, time_s: float) -> Roi:
        """Where to cut the crop of a frame at that time; the face must have been seen before."""
        assert self._head is not None
        assert self._requested is not None
        if not self._scheme.left_eye:
            # a body bends, no crop can ride on it: the next one is cut around its landmarks, unturned
            return self._requested
        return self._head.roi_at(time_s)

    def fit(self, landmarks: Landmarks, time_s: float) -> Landmarks:
        """The landmarks of the next frame with the similarity of this face."""
        return landmarks.placed(self._mean_shape.fit(landmarks.points, time_s))

    def see(self, landmarks: Landmarks, roi: Roi, time_s: float) -> Track:
        """Take up the landmarks read from the crop at `roi`, fitted or not; gives the track as it shall be shown."""
        similarity = landmarks.similarity
        if similarity is None:
            similarity = self._mean_shape.fit(landmarks.points, time_s)
            landmarks = landmarks.placed(similarity)
        self.seen_s = time_s
        self.born_s = time_s if math.isinf(self.born_s) else self.born_s
        self._points = landmarks.points
        is_first = self._head is None or self._is_lost
        self.motion.see(landmarks.points, time_s, None if is_first else similarity)
        if float(landmarks.score.sum()) >= SURE * len(landmarks.score):
            self._sure_motion = self.motion.copy()
        self._requested = requested = roi_from_landmarks(landmarks.points, self._scheme, self._crop_scale)
        if self._head is None or self._is_lost:
            self._head = HeadMotion(requested, time_s, similarity)
        elif not self._head.see(similarity, roi, requested, time_s):
            self._mean_shape.renew()
        self._is_lost = False
        smooth = self._smoother(landmarks, time_s, roi.side)
        return Track(self.id, smooth, bounding_box(smooth.points), roi, is_first=is_first)

    @property
    def is_uncertain(self) -> bool:
        """Whether the last reading was doubtful."""
        return not math.isinf(self._uncertain_from_s)

    def uncertain_s(self, is_uncertain: bool, time_s: float) -> float:
        """How long the readings have been doubtful without a break, this one included: 0 if it is not."""
        self._uncertain_from_s = min(self._uncertain_from_s, time_s) if is_uncertain else math.inf
        return max(time_s - self._uncertain_from_s, 0.0)

    def lose(self) -> None:
        """The face was not seen where it should be."""
        # where it hides is unknown: nothing before the gap may pull at the points
        self._smoother = self._make_smoother(self._scheme)
        self._mean_shape = MeanShape(self._scheme)
        self._is_lost = True
        self._uncertain_from_s = math.inf
