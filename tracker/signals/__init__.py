"""What follows from the landmarks: pose of the head, and what eyes, mouth and brows do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from startrack.tracker.signals.expression import blendshapes
from startrack.tracker.signals.head_pose import head_pose
from startrack.tracker.types import FaceSignals, FloatArray, TrackedFrame

SCHEME = "ibug_68"
"""The numbering that signals are known for."""


def face_signals(points: FloatArray) -> FaceSignals:
    """points: (68, 2) in the numbering ibug_68, frame pixels."""
    pose = head_pose(points)
    return FaceSignals(pose, blendshapes(points, pose))


def with_signals(faces: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
    """A stage of the stream: the same frames, with the signals of every track. Landmarks must be in SCHEME."""
    for tracked in faces:
        tracks = tuple(replace(track, signals=face_signals(track.landmarks.points)) for track in tracked.tracks)
        yield replace(tracked, tracks=tracks)
