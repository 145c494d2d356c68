"""What follows from the landmarks: pose of the head, and what eyes, mouth and brows do."""

from __future__ import annotations

from startrack.tracker.signals.eye_shapes import LOOKS
from startrack.tracker.signals.head_pose import camera_of_view, guessed_camera
from startrack.tracker.signals.stage import SHAPES, VALUES, SignalStage, face_signals, still_track, with_signals

__all__ = [
    "VALUES",
    "SignalStage",
    "blendshape_names",
    "camera_of_view",
    "face_signals",
    "guessed_camera",
    "still_track",
    "with_signals",
]


def blendshape_names(*, eyes: bool = False) -> tuple[str, ...]:
    """Names of FaceSignals.blendshapes, in their order. eyes: whether tracks have them (Track.eyes)."""
    return (*SHAPES, *LOOKS) if eyes else SHAPES
