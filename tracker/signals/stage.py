"""The stage that adds signals to the faces of a stream, each compared to its own neutral face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from startrack.tracker.eyes.eye_motion import EyeMotion, still_eyes
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.signals.covered import Covered
from startrack.tracker.signals.expression import expression_shape, expression_shapes, measures_of, openings_of
from startrack.tracker.signals.eye_shapes import UsualOpenness, blink_values, look_values
from startrack.tracker.signals.head_pose import guessed_camera, head_pose
from startrack.tracker.signals.neutral import Neutral
from startrack.tracker.signals.shapes import (
    USUAL,
    Float64Array,
    beyond_idle,
    face_measures,
    formula_values,
    idle_values,
    shape_values,
)
from startrack.tracker.signals.steady import Steady
from startrack.tracker.signals.usual_faces import PHOTO_FACES, UsualFaces
from startrack.tracker.types import (
    EyeReadings,
    Eyes,
    FaceSignals,
    FloatArray,
    HeadPose,
    Intrinsics,
    Landmarks,
    Track,
    TrackedFrame,
)

VALUES = ("right_eye_open", "left_eye_open", "mouth_open")
"""Names of FaceSignals.values: 0 shut to 1 open, right and left the face's own. A new signal is a name here and its
number in _signals."""
FORGET_S = 5.0
"""A face that was not seen for so long is forgotten; a lost one gets its id back within a second."""
LIDS_AWAY = 0.05
"""How far the smoothed opening of an eye may be from that of the unsmoothed landmarks, as a share of the usual
opening: smoothing takes away up to a sixth of a blink's depth."""
SHAPES = tuple(formula_values(USUAL, USUAL))  # for their names alone
IDLE_S = idle_values(SHAPES)


def _constants(slow: float, fast: float) -> Float64Array:
    """(S,) one number for shapes of brows, cheeks, nose and the lips' thickness, which is a small distance and the
    noisiest, another for the rest of the mouth and for eyes."""
    is_fast = [name.startswith(("eyeBlink", "jaw", "mouth")) and "Roll" not in name for name in SHAPES]
    return np.where(is_fast, fast, slow)


MIN_CUTOFF_HZ, BETA_HZ, PLAY = _constants(0.8, 3.0), _constants(1.5, 6.0), _constants(0.05, 0.03)
"""Of Steady: lids and mouth are fast, brows, cheeks and nose are slow."""
MIN_CUTOFF_HZ[[name.startswith("eyeBlink") for name in SHAPES]] = 1e6  # not filtered: a blink has three frames


class SignalStage:
    """Adds signals to tracked frames, in order; remembers each face's neutral face and its last movements."""

    def __init__(
        self,
        scheme: LandmarkScheme,
        *,
        neutral_s: float | None = None,
        gaze_offset_s: float | None = None,
        camera: Intrinsics | None = None,
        faces: UsualFaces = PHOTO_FACES,
    ) -> None:
        """scheme: of the landmarks; one without iBUG's 68 gives no signals. neutral_s: the first seconds of each face,
        in which it is neutral; None: a running median. gaze_offset_s: those in which it looks into the camera, the zero
        of its gaze; None: no offset. camera: that the frames come from, if it is known. faces: that heads and neutral
        faces are compared to.

        Raises ValueError if a number of seconds is not above 0.
        """
        for name, seconds in (("neutral_s", neutral_s), ("gaze_offset_s", gaze_offset_s)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} {seconds}; expected more than 0 seconds")
        self._own = list(scheme.ibug_68)
        self._neutral_s, self._gaze_offset_s = neutral_s, gaze_offset_s
        self._camera, self._usual_faces = camera, faces
        self._faces: dict[int, _Face] = {}

    def __call__(self, tracked: TrackedFrame) -> TrackedFrame:
        """The same frame with the signals of every track, and with its eyes where they were read."""
        if not self._own:
            return tracked
        frame = tracked.frame
        camera = self._camera or guessed_camera(frame.width, frame.height)
        tracks = tuple(self._with_signals(track, camera, frame.time_s) for track in tracked.tracks)
        for gone in [number for number, face in self._faces.items() if frame.time_s - face.seen_s > FORGET_S]:
            del self._faces[gone]
        return replace(tracked, tracks=tracks)

    def _with_signals(self, track: Track, camera: Intrinsics, time_s: float) -> Track:
        face = self._faces.get(track.id)
        if face is None:
            face = self._faces[track.id] = _Face(self._neutral_s, self._gaze_offset_s, self._usual_faces)
        signals, eyes = face(_chosen(track.landmarks, self._own), camera, time_s, track.is_first)
        return replace(track, signals=signals, eyes=eyes)


class _Face:
    """The state of one face."""

    def __init__(self, neutral_s: float | None, gaze_offset_s: float | None, faces: UsualFaces) -> None:
        self.seen_s = -np.inf
        self._head = faces.head
        self._neutral = Neutral(neutral_s, faces.limits)
        self._steady = Steady(MIN_CUTOFF_HZ, BETA_HZ, PLAY)
        self._eyes = EyeMotion(gaze_offset_s)
        self._covered = Covered()
        self._openness = UsualOpenness(neutral_s)

    def __call__(
        self, landmarks: Landmarks, camera: Intrinsics, time_s: float, is_first: bool
    ) -> tuple[FaceSignals, Eyes | None]:
        if is_first or time_s <= self.seen_s:
            # a gap ends the motion, not the person
            self._steady = Steady(MIN_CUTOFF_HZ, BETA_HZ, PLAY)
            self._eyes.restart()
            self._covered = Covered()
        self.seen_s = time_s
        pose = head_pose(landmarks.points, camera, self._head)
        eyes = None if landmarks.eyes is None else self._eyes(landmarks, landmarks.eyes, pose, time_s)
        sets = [landmarks.points] if landmarks.raw_points is None else [landmarks.points, landmarks.raw_points]
        shapes_of_sets = expression_shapes(np.array(sets, np.float64), pose)
        openings = openings_of(shapes_of_sets)
        measures = np.concatenate([measures_of(shapes_of_sets[0]), openings[0]])
        neutral = self._neutral.see(measures, time_s)
        if landmarks.raw_points is not None:
            raw, away = openings[1], LIDS_AWAY * neutral[-2:]
            measures[-2:] = np.minimum(np.maximum(measures[-2:], raw - away), raw + away)
        measures = self._covered(measures, neutral, landmarks.visibility, time_s)
        shapes = shape_values(measures, neutral)
        if eyes is not None:
            shapes |= blink_values(eyes, self._openness.see(eyes.openness, time_s))
        return _signals(pose, self._steady(np.array(list(shapes.values())), time_s), eyes), eyes


def _chosen(landmarks: Landmarks, own: list[int]) -> Landmarks:
    """The landmarks with the points of these numbers alone, and in this order."""
    raw, seen = landmarks.raw_points, landmarks.visibility
    if own == list(range(len(landmarks.points))):
        return landmarks
    return replace(
        landmarks,
        points=landmarks.points[own],
        raw_points=None if raw is None else raw[own],
        visibility=None if seen is None else seen[own],
    )


def _signals(pose: HeadPose, values_S: Float64Array, eyes: Eyes | None = None) -> FaceSignals:
    shown = beyond_idle(values_S, IDLE_S).tolist()
    shapes = dict(zip(SHAPES, shown, strict=True))
    if eyes is not None:
        shapes |= look_values(eyes)
    numbers = (1 - shapes["eyeBlinkRight"], 1 - shapes["eyeBlinkLeft"], shapes["jawOpen"])
    return FaceSignals(pose, shapes, dict(zip(VALUES, numbers, strict=True)))


def face_signals(
    points: FloatArray, camera: Intrinsics, faces: UsualFaces = PHOTO_FACES, *, read: EyeReadings | None = None
) -> FaceSignals:
    """The signals of a face of which nothing else is known, compared to the usual one of `faces`.

    points: (68, 2) in iBUG's numbering, frame pixels. read: its eyes.
    """
    pose = head_pose(points, camera, faces.head)
    shapes = shape_values(face_measures(expression_shape(points, pose)), faces.limits.usual)
    eyes = None if read is None else still_eyes(points, pose, read)
    if eyes is not None:
        shapes |= blink_values(eyes, np.ones(2))
    return _signals(pose, np.array(list(shapes.values())), eyes)


def still_track(track: Track, scheme: LandmarkScheme, camera: Intrinsics, faces: UsualFaces = PHOTO_FACES) -> Track:
    """The track of a single picture with its face_signals and its eyes; as it is without iBUG's 68 landmarks."""
    if not scheme.ibug_68:
        return track
    marks = _chosen(track.landmarks, list(scheme.ibug_68))
    signals = face_signals(marks.points, camera, faces, read=marks.eyes)
    eyes = None if marks.eyes is None else still_eyes(marks.points, signals.pose, marks.eyes)
    return replace(track, signals=signals, eyes=eyes)


def with_signals(faces: Iterable[TrackedFrame], stage: SignalStage) -> Iterator[TrackedFrame]:
    """A stream with the signals of every track."""
    return (stage(tracked) for tracked in faces)
