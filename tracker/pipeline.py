"""The whole flow: frames → face boxes → crops → landmarks → tracks."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.associate import assign, associate, covered_share, iou, stack_boxes
from startrack.tracker.crop import bounding_box, roi_from_box, roi_from_landmarks
from startrack.tracker.detect.base import FaceDetector, find_faces
from startrack.tracker.eyes.read_eyes import EyeReader
from startrack.tracker.face_track import FaceTrack
from startrack.tracker.latency import Stopwatch
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.motion.cuts import CutDetector
from startrack.tracker.motion.identity import inside_face, same_face
from startrack.tracker.motion.surroundings import Change, Surroundings
from startrack.tracker.newcomers import Newcomers
from startrack.tracker.read_rois import read_rois
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.smooth.base import MakeSmoother
from startrack.tracker.smooth.kalman import Kalman
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FaceBox, FloatArray, Frame, Landmarks, Roi, Track, TrackedFrame


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """When to look for faces, and when to believe in one."""

    max_faces: int = 8
    detect_every: int = 15
    """Frames between two detections while some face is followed, there may be more and the picture moves: half as many
    where something has changed in a picture that rests, four times as many where nothing has (Surroundings)."""
    min_presence: float = 0.5
    """Below this the network says that the crop shows no face; a followed face is lost."""
    birth_presence: float = 0.95
    """The presence that a new face must reach: a detector's false alarm looks like a face to the landmark network too,
    but less so.
    Set on clips, not on labelled data: two false alarms reached 0.92, 19 of 20 readings of real faces 0.98."""
    birth_presence_beside: float = 0.98
    """The same beside other faces, for one that is doubtful (a mean score below Evidence.sure): the print of a skull on
    a jumper reached 0.97, nine of ten half-hidden real ones reach this."""
    birth_score: float = 0.65
    """The detector's score from which one look is enough for a new face beside those that are followed; below it the
    next frame must show it, too, and one more where the landmarks are doubtful (Evidence.sure). Textures look like a
    face in single frames: on the demo clip with up to 0.62."""
    lost_s: float = 1.0
    """How long a lost face keeps its id, also through a cut to another scene and back."""
    retry_s: float = 0.2
    """How long a lost face is looked for where it should be, without the detector."""
    retry_max_cost: float = 0.6
    """How unlike itself (FaceMotion.cost) it may then be."""
    max_uncertain_s: float = 0.3
    """How long a followed face may be doubtful (Evidence) before it is lost."""
    evidence: Evidence = field(default_factory=Evidence)
    """Conditions on the landmarks of a face, besides its presence."""
    lost_max_cost: float = 2.5
    """How unlike itself (FaceMotion.cost) a lost face may come back."""
    same_face_iou: float = 0.3
    """Overlap from which a detector's box shows a face that is followed already."""
    same_face: float = 0.25
    """Mean distance of two tracks' landmarks, in sides of the face, up to which they lie on one face."""
    inside_face: float = 0.6
    """Size over that of a face around it below which something is no face, but a part of the other."""
    hidden_share: float = 0.25
    """Share of a doubtful face's box within that of another face from which it is hidden by it, and lost at once."""
    check_s: float = 1.0
    """Age at which the detector looks at a face's surroundings once more, even with max_faces followed: a face that was
    found on a part of another one is then given up."""


SLOW_FPS = 5.0
"""Below this a face may be somewhere else in the next frame, and another one in its place."""


def options_for(fps: float | None, **options: Any) -> TrackerOptions:
    """Options for frames that come so many times a second; None if that is unknown. options: TrackerOptions' own.

    Of few frames the detector sees each, and a lost face is remembered for some of them.
    """
    if fps is not None and fps < SLOW_FPS:
        options |= {"detect_every": 1, "lost_s": max(TrackerOptions().lost_s, 2.5 / fps)}
    return TrackerOptions(**options)


def track_frames(
    frames: Iterable[Frame],
    detect: FaceDetector,
    engine: Engine,
    *,
    make_smoother: MakeSmoother = Kalman,
    options: TrackerOptions | None = None,
    eyes: EyeReader | None = None,
) -> Generator[TrackedFrame]:
    """Follow every face of a stream of frames; a stage like any other: the caller owns the loop.

    Yields each frame once, in order, with the faces seen in it. Frames may have different sizes. eyes: reads the eyes
    of every face more closely. Raises EngineError when a model fails; errors of the source pass through.
    """
    tracker = FrameTracker(detect, engine, make_smoother, options or TrackerOptions(), eyes=eyes)
    for frame in frames:
        yield tracker(frame)


def read_stills(
    frames: Iterable[Frame],
    detect: FaceDetector,
    engine: Engine,
    *,
    options: TrackerOptions | None = None,
    eyes: EyeReader | None = None,
) -> Generator[TrackedFrame]:
    """The faces of pictures that have nothing to do with each other: each is read for itself, and no id comes twice.

    Yields each frame once, in order. Raises EngineError when the model fails.
    """
    first_id, options = 0, options or TrackerOptions()
    # a doubtful face has no second chance
    options = replace(options, birth_presence_beside=options.birth_presence)
    for frame in frames:
        tracker = FrameTracker(detect, engine, NoSmoothing, options, eyes=eyes, first_id=first_id)
        yield tracker(frame)
        first_id = tracker.next_id


class FrameTracker:
    """The faces known so far, and one frame after the other."""

    def __init__(
        self,
        detect: FaceDetector,
        engine: Engine,
        make_smoother: MakeSmoother,
        options: TrackerOptions,
        *,
        eyes: EyeReader | None = None,
        first_id: int = 0,
    ) -> None:
        """eyes: reads the eyes of every face more closely. first_id: of the first face; the others count up from it."""
        self._detect = detect
        self._engine = engine
        self._eyes = eyes
        self._make_smoother = make_smoother
        self._options = options
        self._scheme = scheme_of(engine.spec)
        self._scene_of = CutDetector()
        self._scene = 0
        self._followed: list[FaceTrack] = []
        self._lost: list[FaceTrack] = []
        self.next_id = first_id
        """Of the next face that is new."""
        self._frames_since_detection = 0
        self._surroundings = Surroundings()
        self._was_lost_now = False
        self._newcomers = Newcomers(sure_score=options.birth_score, same_iou=options.same_face_iou)

    def __call__(self, frame: Frame) -> TrackedFrame:
        watch = Stopwatch()
        self._enter(self._scene_of(frame.image))
        seen = self._follow(frame, watch)
        self._frames_since_detection += 1
        if self._must_detect(frame):
            seen = self._discover(frame, seen, watch)
            self._frames_since_detection = 0
            self._surroundings.look(self._scene_of.thumbnail, (frame.width, frame.height), self._boxes())
        self._lost = [face for face in self._lost if face.seen_s >= frame.time_s - self._options.lost_s]
        return TrackedFrame(frame, tuple(sorted(seen, key=lambda one: one.id)), watch.read())

    def _enter(self, scene: int) -> None:
        """After a cut no face goes on; those of the scene before may, should it be shown again before long."""
        if scene != self._scene:
            self._lose(self._followed)
            self._followed, self._scene = [], scene

    def _lose(self, faces: Sequence[FaceTrack]) -> None:
        for face in faces:
            face.lose()
            self._lost.append(face)

    def _must_detect(self, frame: Frame) -> bool:
        """Every frame without a face, at once when one is lost and then every third, after a doubtful box, once when a
        face is no newborn any more, and while there may be more as often as the surroundings ask for."""
        if not self._followed:
            return True
        unchecked = [face for face in self._followed if not face.is_checked or face.times_part]
        if len(self._followed) >= self._options.max_faces:
            return any(frame.time_s - face.born_s >= self._options.check_s for face in unchecked)
        if self._was_lost_now or self._newcomers:
            return True
        pause, since = self._options.detect_every, self._frames_since_detection
        if any(face.scene == self._scene for face in self._lost):
            return since >= min(3, pause)
        if since < pause // 2:
            return False
        if since >= pause and (unchecked or pause == 1 or since >= 4 * pause):
            return True
        change = self._surroundings.change(self._scene_of.thumbnail, (frame.width, frame.height), self._boxes())
        return change is Change.LOCAL or (change is Change.COMMON and since >= pause)

    def _boxes(self) -> list[FloatArray]:
        """(4,) of each followed face, as it was last read."""
        return [bounding_box(face.points) for face in self._followed]

    def _follow(self, frame: Frame, watch: Stopwatch) -> list[Track]:
        """Read every followed face in its next crop, and those just lost; faces that have gone are lost."""
        lost = [
            face
            for face in self._lost
            if face.scene == self._scene and frame.time_s - face.seen_s <= self._options.retry_s
        ]
        crops = {face: face.roi_at(frame.time_s) for face in (*self._followed, *lost)}
        landmarks_of = read_rois(frame, list(crops.values()), self._engine, watch)
        started = time.perf_counter()
        followed = len(self._followed)
        readings = list(zip(crops, landmarks_of, strict=True))
        there = [one for one in readings[:followed] if self._is_there(*one, frame.time_s)]
        here = [(face, face.fit(landmarks, frame.time_s)) for face, landmarks in there]
        here += [one for one in readings[followed:] if self._is_back(*one, frame.time_s)]
        owners = set(self._owners(here, frame.time_s))
        owned = [(face, crops[face], landmarks) for face, landmarks in here if face in owners]
        gone = [face for face in self._followed if face not in owners]
        self._lost = [face for face in self._lost if face not in owners]
        self._lose(gone)
        self._was_lost_now = bool(gone)
        self._followed = [face for face, _ in here if face in owners]
        watch.add("smooth_ms", started)
        return self._see(frame, owned, watch)

    def _see(self, frame: Frame, readings: Sequence[tuple[FaceTrack, Roi, Landmarks]], watch: Stopwatch) -> list[Track]:
        """The faces take up their readings, and those of their eyes."""
        marks = [landmarks for _, _, landmarks in readings]
        finer = marks if self._eyes is None else self._eyes(frame, marks, watch)
        started = time.perf_counter()
        seen = [face.see(one, roi, frame.time_s) for (face, roi, _), one in zip(readings, finer, strict=True)]
        watch.add("smooth_ms", started)
        return seen

    def _is_there(self, face: FaceTrack, landmarks: Landmarks, time_s: float) -> bool:
        """Whether a followed face was read where it should be, and not in doubt for too long."""
        if not self._is_face(landmarks):
            return False
        is_uncertain = self._options.evidence.is_uncertain(landmarks, self._scheme, self._engine.spec)
        return face.uncertain_s(is_uncertain, time_s) < self._options.max_uncertain_s

    def _is_back(self, face: FaceTrack, landmarks: Landmarks, time_s: float) -> bool:
        """Whether a lost face is where it should be after all."""
        return self._is_new_face(landmarks) and (
            face.motion.cost(landmarks.points, time_s) <= self._options.retry_max_cost
        )

    def _is_new_face(self, landmarks: Landmarks, *, is_alone: bool = True) -> bool:
        options = self._options
        is_sure = is_alone or float(landmarks.score.mean()) >= options.evidence.sure
        least = options.birth_presence if is_sure else options.birth_presence_beside
        return landmarks.presence >= least and options.evidence.is_born(landmarks, self._scheme, self._engine.spec)

    def _owners(self, here: Sequence[tuple[FaceTrack, Landmarks]], time_s: float) -> list[FaceTrack]:
        """Of faces whose landmarks lie on one and the same face, the one that it is; the others have lost theirs, as
        when one walks past the other. A face within another one is none."""
        if len(here) < 2:
            return [face for face, _ in here]
        points = np.array([landmarks.points for _, landmarks in here])
        is_same = same_face(points[:, None], points, within=self._options.same_face)
        cost = [face.motion.cost(landmarks.points, time_s, landmarks.similarity) for face, landmarks in here]
        kept: list[int] = []
        for index in np.argsort(cost, kind="stable").tolist():
            if not is_same[kept, index].any():
                kept.append(index)
        clear = [index for index in kept if not here[index][0].is_uncertain]
        owned = [index for index in kept if not self._is_part_of(points[index], points[kept])]
        return [here[index][0] for index in owned if not self._is_hidden(index, clear, here)]

    def _is_hidden(self, index: int, clear: Sequence[int], here: Sequence[tuple[FaceTrack, Landmarks]]) -> bool:
        """Whether a doubtful face lies partly behind one that is in no doubt: its landmarks are soon on the other, or
        beside both."""
        if not here[index][0].is_uncertain:
            return False
        box, *others = (bounding_box(here[one][1].points) for one in (index, *clear))
        return any(covered_share(box, other) >= self._options.hidden_share for other in others)

    def _discover(self, frame: Frame, seen: Sequence[Track], watch: Stopwatch) -> list[Track]:
        """Detect, and take up the faces that are not followed yet; a lost one gets its old id back."""
        started = time.perf_counter()
        boxes = find_faces(self._detect, frame, [one.box for one in seen])
        watch.add("detect_ms", started)
        seen = self._checked(seen, boxes, frame.time_s)
        boxes = self._unknown(boxes, seen)
        # all are believed where no face is followed, or where each frame may show others
        if is_strict := bool(self._followed) and self._options.detect_every > 1:
            boxes = self._newcomers.believed(boxes)
        else:
            self._newcomers.forget()
        found = self._read_newcomers(frame, boxes, watch)
        started = time.perf_counter()
        if is_strict:
            doubtful = [box for box, _, landmarks in found if self._is_doubtful(landmarks, frame.time_s)]
            waiting = self._newcomers.keep_waiting(doubtful)
            found = [one for one in found if one[0] not in waiting]
        faces = self._take_up([landmarks for _, _, landmarks in found], frame.time_s)
        self._followed += faces
        watch.add("smooth_ms", started)
        readings = [(face, roi, landmarks) for face, (_, roi, landmarks) in zip(faces, found, strict=True)]
        return [*seen, *self._see(frame, readings, watch)]

    def _read_newcomers(
        self, frame: Frame, boxes: Sequence[FaceBox], watch: Stopwatch
    ) -> list[tuple[FaceBox, Roi, Landmarks]]:
        """Those of the boxes that show a face which is neither followed nor a part of one that is."""
        rois = [roi_from_box(box, self._engine.spec.crop_scale) for box in boxes]
        # a detector's box is only near: one reading to find the crop, one more to find the landmarks
        first = zip(boxes, read_rois(frame, rois, self._engine, watch), strict=True)
        near = [(box, self._next_roi(landmarks)) for box, landmarks in first if self._is_face(landmarks)]
        second = read_rois(frame, [roi for _, roi in near], self._engine, watch)
        started = time.perf_counter()
        new: list[tuple[FaceBox, Roi, Landmarks]] = []
        # as they were read: smoothed ones may lag behind the face
        known = [face.points for face in self._followed]
        hidden = [face.points for face in self._lost if face.scene == self._scene]
        for (box, roi), landmarks in zip(near, second, strict=True):
            points, others = landmarks.points, [*known, *(other.points for _, _, other in new)]
            is_part = self._is_part_of(points, [*others, *hidden])
            if (
                self._is_new_face(landmarks, is_alone=not others)
                and not is_part
                and not self._lies_on_one(points, others)
            ):
                new.append((box, roi, landmarks))
        watch.add("smooth_ms", started)
        return new

    def _checked(self, seen: Sequence[Track], boxes: Sequence[FaceBox], time_s: float) -> list[Track]:
        """Faces seen in this frame without those that were a part of a detected face twice running; unlike a face that
        is passing another one, they have no box of their own for long."""
        boxes_M4 = stack_boxes([box.xyxy for box in boxes])
        owned = iou(stack_boxes([one.box for one in seen]), boxes_M4).max(axis=1, initial=0.0)
        alone = {one.id: best < self._options.same_face_iou for one, best in zip(seen, owned, strict=True)}
        for face in self._followed:
            is_part = alone.get(face.id, False) and self._is_part_of(face.points, boxes_M4.reshape(-1, 2, 2))
            face.times_part = face.times_part + 1 if is_part else 0
            face.is_checked |= not is_part and time_s - face.born_s >= self._options.check_s
        parts = [face for face in self._followed if face.times_part >= 2]
        self._lose(parts)
        self._followed = [face for face in self._followed if face not in parts]
        gone = {face.id for face in parts}
        return [one for one in seen if one.id not in gone]

    def _unknown(self, boxes: Sequence[FaceBox], seen: Sequence[Track]) -> list[FaceBox]:
        """Boxes that no track seen in this frame covers, as many as there is room for."""
        known, boxes_M4 = stack_boxes([one.box for one in seen]), stack_boxes([box.xyxy for box in boxes])
        taken = {box for _, box in associate(known, boxes_M4, min_iou=self._options.same_face_iou)}
        room = self._options.max_faces - len(seen)
        return [box for index, box in enumerate(boxes) if index not in taken][:room]

    def _is_doubtful(self, landmarks: Landmarks, time_s: float) -> bool:
        """Whether a newcomer's landmarks are in doubt, and none of the lost faces'."""
        lost = [face for face in self._lost if face.scene == self._scene]
        return float(landmarks.score.mean()) < self._options.evidence.sure and all(
            face.unlike(landmarks.points, time_s) > self._options.lost_max_cost for face in lost
        )

    def _take_up(self, detected: Sequence[Landmarks], time_s: float) -> list[FaceTrack]:
        """For each face found, the lost one that it is, or a new one."""
        lost = [face for face in self._lost if face.scene == self._scene]
        cost = np.array([[face.unlike(marks.points, time_s) for face in lost] for marks in detected])
        again = dict(assign(cost.reshape(len(detected), len(lost)), max_cost=self._options.lost_max_cost))
        faces = [lost[again[row]] if row in again else self._new_face() for row in range(len(detected))]
        self._lost = [face for face in self._lost if face not in faces]
        return faces

    def _new_face(self) -> FaceTrack:
        self.next_id += 1
        scale = self._engine.spec.crop_scale
        return FaceTrack(self.next_id - 1, self._scheme, scale, self._make_smoother, self._scene)

    def _next_roi(self, landmarks: Landmarks) -> Roi:
        return roi_from_landmarks(landmarks.points, self._scheme, self._engine.spec.crop_scale)

    def _is_face(self, landmarks: Landmarks) -> bool:
        return landmarks.presence >= self._options.min_presence

    def _lies_on_one(self, points: FloatArray, others: Iterable[FloatArray]) -> bool:
        """Whether the landmarks lie on a face that others show already; each (K, 2)."""
        within = self._options.same_face
        return any(same_face(other, points, within=within) for other in others)

    def _is_part_of(self, points: FloatArray, others: Iterable[FloatArray]) -> bool:
        """Whether the landmarks lie on a part of another face, such as its mouth; each (K, 2), or corners of a box."""
        return any(inside_face(points, other, smaller=self._options.inside_face) for other in others)
