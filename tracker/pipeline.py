"""The whole flow: frames → face boxes → crops → landmarks → tracks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.associate import assign, associate, stack_boxes
from startrack.tracker.crop import roi_from_box, roi_from_landmarks
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.face_track import FaceTrack
from startrack.tracker.latency import Stopwatch
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.motion.cuts import CutDetector
from startrack.tracker.motion.identity import same_face
from startrack.tracker.read_rois import read_rois
from startrack.tracker.smooth.base import MakeSmoother
from startrack.tracker.smooth.kalman import Kalman
from startrack.tracker.types import FaceBox, Frame, Landmarks, Roi, Track, TrackedFrame


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """When to look for faces, and when to believe in one."""

    max_faces: int = 8
    detect_every: int = 15
    """Frames between two detections while some face is followed and there may be more."""
    min_presence: float = 0.5
    """Below this the network says that the crop shows no face; a followed face is lost."""
    birth_presence: float = 0.95
    """What a new face must reach: a detector's false alarm looks like a face to the landmark network too, but less so.
    Set on clips, not on labelled data: two false alarms reached 0.92, 19 of 20 readings of real faces 0.98."""
    lost_s: float = 1.0
    """How long a lost face keeps its id."""
    lost_surprise: float = 2.5
    """How unlike itself (FaceMotion.surprise) a lost face may come back."""
    same_face_iou: float = 0.3
    """Overlap from which a detector's box shows a face that is followed already."""
    same_face: float = 0.25
    """Mean distance of two tracks' landmarks, in sides of the face, up to which they lie on one face."""


def track_frames(
    frames: Iterable[Frame],
    detect: FaceDetector,
    engine: Engine,
    *,
    make_smoother: MakeSmoother = Kalman,
    options: TrackerOptions | None = None,
) -> Iterator[TrackedFrame]:
    """Follow every face of a stream of frames; a stage like any other: the caller owns the loop.

    Yields each frame once, in order, with the faces seen in it. Frames may have different sizes. Raises EngineError
    when the model fails; errors of the source pass through.
    """
    tracker = FrameTracker(detect, engine, make_smoother, options or TrackerOptions())
    for frame in frames:
        yield tracker(frame)


class FrameTracker:
    """The faces known so far, and one frame after the other."""

    def __init__(
        self, detect: FaceDetector, engine: Engine, make_smoother: MakeSmoother, options: TrackerOptions
    ) -> None:
        self._detect = detect
        self._engine = engine
        self._make_smoother = make_smoother
        self._options = options
        self._scheme = scheme_of(engine.spec)
        self._is_cut = CutDetector()
        self._followed: list[FaceTrack] = []
        self._lost: list[FaceTrack] = []
        self._next_id = 0
        self._frames_since_detection = 0

    def __call__(self, frame: Frame) -> TrackedFrame:
        watch = Stopwatch()
        if self._is_cut(frame.image):
            self._followed, self._lost = [], []
        seen = self._follow(frame, watch)
        self._frames_since_detection += 1
        if self._must_detect():
            seen += self._discover(frame, seen, watch)
            self._frames_since_detection = 0
        self._lost = [face for face in self._lost if face.seen_s >= frame.time_s - self._options.lost_s]
        return TrackedFrame(frame, tuple(sorted(seen, key=lambda one: one.id)), watch.read())

    def _must_detect(self) -> bool:
        """Every frame without a face, every third while one is lost, every detect_every while there may be more."""
        if not self._followed:
            return True
        pause = min(3, self._options.detect_every) if self._lost else self._options.detect_every
        return len(self._followed) < self._options.max_faces and self._frames_since_detection >= pause

    def _follow(self, frame: Frame, watch: Stopwatch) -> list[Track]:
        """Read every followed face in its next crop; those that are not there any more are lost."""
        crops = {face: face.roi_at(frame.time_s) for face in self._followed}
        found = read_rois(frame, list(crops.values()), self._engine, watch)
        started = time.perf_counter()
        here = [(face, marks) for face, marks in zip(self._followed, found, strict=True) if self._is_face(marks)]
        owners = self._owners(here, frame.time_s)
        seen: list[Track] = []
        for face, landmarks in here:
            if face in owners:
                seen.append(face.see(landmarks, crops[face], frame.time_s))
        for face in self._followed:
            if face not in owners:
                face.lose()
                self._lost.append(face)
        self._followed = [face for face, _ in here if face in owners]
        watch.add("smooth_ms", started)
        return seen

    def _owners(self, here: Sequence[tuple[FaceTrack, Landmarks]], time_s: float) -> list[FaceTrack]:
        """Of faces whose landmarks lie on one and the same face, the one that it is; the others have lost theirs, as
        when one walks past the other."""
        if len(here) < 2:
            return [face for face, _ in here]
        points = np.array([landmarks.points for _, landmarks in here])
        is_same = same_face(points[:, None], points, within=self._options.same_face)
        surprise = [face.motion.surprise(landmarks.points, time_s) for face, landmarks in here]
        kept: list[int] = []
        for index in np.argsort(surprise, kind="stable").tolist():
            if not is_same[kept, index].any():
                kept.append(index)
        return [here[index][0] for index in kept]

    def _discover(self, frame: Frame, seen: Sequence[Track], watch: Stopwatch) -> list[Track]:
        """Detect, and take up the faces that are not followed yet; a lost one gets its old id back."""
        started = time.perf_counter()
        boxes = self._detect(frame)
        watch.add("detect_ms", started)
        rois = [roi_from_box(box, self._engine.spec.crop_scale) for box in self._unknown(boxes, seen)]
        # a detector's box is only near: one reading to find the crop, one more to find the landmarks
        first = read_rois(frame, rois, self._engine, watch)
        rois = [self._next_roi(landmarks) for landmarks in first if self._is_face(landmarks)]
        found = read_rois(frame, rois, self._engine, watch)
        started = time.perf_counter()
        new: list[tuple[Roi, Landmarks]] = []
        known = [one.landmarks for one in seen]
        for roi, landmarks in zip(rois, found, strict=True):
            sure = landmarks.presence >= self._options.birth_presence
            if sure and not self._lies_on_one(landmarks, [*known, *(other for _, other in new)]):
                new.append((roi, landmarks))
        faces = self._take_up([landmarks for _, landmarks in new], frame.time_s)
        born = [face.see(landmarks, roi, frame.time_s) for face, (roi, landmarks) in zip(faces, new, strict=True)]
        self._followed += faces
        watch.add("smooth_ms", started)
        return born

    def _unknown(self, boxes: Sequence[FaceBox], seen: Sequence[Track]) -> list[FaceBox]:
        """Boxes that no track seen in this frame covers, as many as there is room for."""
        known, found = stack_boxes([one.box for one in seen]), stack_boxes([box.xyxy for box in boxes])
        taken = {box for _, box in associate(known, found, min_iou=self._options.same_face_iou)}
        room = self._options.max_faces - len(seen)
        return [box for index, box in enumerate(boxes) if index not in taken][:room]

    def _take_up(self, found: Sequence[Landmarks], time_s: float) -> list[FaceTrack]:
        """For each face found, the lost one that it is, or a new one."""
        cost = np.array([[face.motion.surprise(marks.points, time_s) for face in self._lost] for marks in found])
        again = dict(assign(cost.reshape(len(found), len(self._lost)), most=self._options.lost_surprise))
        faces = [self._lost[again[row]] if row in again else self._new_face() for row in range(len(found))]
        self._lost = [face for face in self._lost if face not in faces]
        return faces

    def _new_face(self) -> FaceTrack:
        self._next_id += 1
        return FaceTrack(self._next_id - 1, self._scheme, self._engine.spec.crop_scale, self._make_smoother)

    def _next_roi(self, landmarks: Landmarks) -> Roi:
        return roi_from_landmarks(landmarks.points, self._scheme, self._engine.spec.crop_scale)

    def _is_face(self, landmarks: Landmarks) -> bool:
        return landmarks.presence >= self._options.min_presence

    def _lies_on_one(self, landmarks: Landmarks, others: Sequence[Landmarks]) -> bool:
        """Whether the landmarks lie on a face that others show already."""
        within = self._options.same_face
        return any(same_face(other.points, landmarks.points, within=within) for other in others)
