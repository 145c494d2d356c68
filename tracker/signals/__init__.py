"""What follows from the landmarks: pose of the head, and what eyes, mouth and brows do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.signals.expression import blendshapes
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.signals.head_pose import head_pose
from startrack.tracker.types import FaceSignals, FloatArray, TrackedFrame

VALUES = ("right_eye_open", "left_eye_open", "mouth_open")
"""Names of FaceSignals.values: 0 shut to 1 open, right and left the face's own. A new signal is a name here and its
number in face_signals."""


def face_signals(points: FloatArray) -> FaceSignals:
    """points: (68, 2) in iBUG's numbering, frame pixels."""
    pose = head_pose(points)
    shapes = blendshapes(points, pose)
    numbers = (1 - shapes["eyeBlinkRight"], 1 - shapes["eyeBlinkLeft"], shapes["jawOpen"])
    return FaceSignals(pose, shapes, dict(zip(VALUES, numbers, strict=True)))


@cache
def blendshape_names() -> tuple[str, ...]:
    """Names of FaceSignals.blendshapes, in their order."""
    return tuple(face_signals(HEAD_68[:, :2]).blendshapes)


def add_signals(tracked: TrackedFrame, scheme: LandmarkScheme) -> TrackedFrame:
    """The same frame with the signals of every track, as far as the scheme has iBUG's 68 landmarks: else without."""
    if not scheme.ibug_68:
        return tracked
    own = list(scheme.ibug_68)
    tracks = tuple(replace(track, signals=face_signals(track.landmarks.points[own])) for track in tracked.tracks)
    return replace(tracked, tracks=tracks)


def with_signals(faces: Iterable[TrackedFrame], scheme: LandmarkScheme) -> Iterator[TrackedFrame]:
    """A stage of the stream: add_signals of every frame."""
    return (add_signals(tracked, scheme) for tracked in faces)
