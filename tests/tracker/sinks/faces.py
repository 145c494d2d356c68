"""A tracked face with signals, and a listener for datagrams."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from startrack.tracker.signals import face_signals, guessed_camera
from startrack.tracker.signals.eye_shapes import look_values
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.eyes.made_eyes import eyes


def face(id: int = 0, *, rotation: np.ndarray | None = None) -> Track:
    """The mean head, 64 px per unit, in the middle of a 640×480 frame."""
    points = (HEAD_68 @ (np.eye(3) if rotation is None else rotation).T)[:, :2] * 64 + [319.5, 239.5]
    landmarks = Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.linspace(0.1, 0.9, 68), 0.9)
    signals = face_signals(points, guessed_camera(640, 480))
    return Track(id, landmarks, np.array([1.0, 2.0, 3.0, 4.0]), Roi(np.zeros(2), 1.0), signals)


def seeing(track: Track, aside_deg: float = 0.0, down_deg: float = 0.0) -> Track:
    """The track with eyes that look so far to the picture's right and downwards in the head."""
    found = eyes(aside_deg, down_deg)
    assert track.signals is not None
    shapes = {**track.signals.blendshapes, **look_values(found)}
    gaze = track.signals.pose.rotation @ found.gaze_in_head
    found = replace(found, gaze=gaze, gaze_of_each=np.stack([gaze, gaze]))
    return replace(track, eyes=found, signals=replace(track.signals, blendshapes=shapes))


def tracked(*tracks: Track, time_s: float = 0.0) -> TrackedFrame:
    return TrackedFrame(Frame(np.zeros((480, 640, 3), np.uint8), 0, time_s), tracks, StageLatency())


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        yield listening
