"""What follows from the landmarks: pose of the head, and what eyes, mouth and brows do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from startrack.tracker.signals.expression import blendshapes
from startrack.tracker.signals.head_pose import head_pose
from startrack.tracker.types import FaceSignals, FloatArray, TrackedFrame

SCHEME = "ibug_68"
"""The numbering that signals are known for."""
VALUES = ("right_eye_open", "left_eye_open", "mouth_open")
"""Names of FaceSignals.values: 0 shut to 1 open, right and left the face's own. A new signal is a name here and its
number in face_signals."""


def face_signals(points: FloatArray) -> FaceSignals:
    """points: (68, 2) in the numbering ibug_68, frame pixels."""
    pose = head_pose(points)
    shapes = blendshapes(points, pose)
    numbers = (1 - shapes["eyeBlinkRight"], 1 - shapes["eyeBlinkLeft"], shapes["jawOpen"])
    return FaceSignals(pose, shapes, dict(zip(VALUES, numbers, strict=True)))


def add_signals(tracked: TrackedFrame) -> TrackedFrame:
    """The same frame with the signals of every track. Landmarks must be in SCHEME."""
    tracks = tuple(replace(track, signals=face_signals(track.landmarks.points)) for track in tracked.tracks)
    return replace(tracked, tracks=tracks)


def with_signals(faces: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
    """A stage of the stream: the same frames, with the signals of every track. Landmarks must be in SCHEME."""
    return map(add_signals, faces)
