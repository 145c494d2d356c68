"""The columns and the numbers of each field of a face (tracker.sinks.field_names)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from startrack.tracker.signals import VALUES, blendshape_names
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.field_names import DERIVED
from startrack.tracker.types import Track

ANGLES = ("pitch_deg", "yaw_deg", "roll_deg")


def available(fields: Iterable[str], *, signals: bool) -> tuple[str, ...]:
    """Those of the fields that the model gives. signals: whether it has iBUG's 68 landmarks."""
    return tuple(name for name in fields if signals or name not in DERIVED)


def columns(fields: Sequence[str], num_landmarks: int) -> list[str]:
    """Names of the columns, such as left, x_0, score_0, pitch_deg, mouth_open, jawOpen."""
    marks = range(num_landmarks)
    names = {
        "box": ("left", "top", "right", "bottom"),
        "points": (*(f"x_{k}" for k in marks), *(f"y_{k}" for k in marks)),
        "scores": tuple(f"score_{k}" for k in marks),
        "covariance": tuple(f"{name}_{k}" for name in ("xx", "xy", "yy") for k in marks),
        "visibility": tuple(f"visibility_{k}" for k in marks),
        "pose": ANGLES,
        "signals": VALUES,
        "blendshapes": blendshape_names(),
    }
    return [column for field in fields for column in names[field]]


def numbers(field: str, track: Track, num_landmarks: int) -> list[float]:
    """The values of a field's columns; NaN where the model gives none. Raises SinkError if the face has another number
    of landmarks."""
    marks = track.landmarks
    if len(marks.points) != num_landmarks:
        raise SinkError(
            f"face {track.id} has {len(marks.points)} landmarks; expected {num_landmarks}, as in the header"
        )
    match field:
        case "box":
            return list(map(float, track.box))
        case "points":
            return marks.points.T.ravel().tolist()
        case "scores":
            return list(map(float, marks.score))
        case "covariance":
            return marks.covariance[:, [0, 0, 1], [0, 1, 1]].T.ravel().tolist()
        case "visibility":
            return [math.nan] * num_landmarks if marks.visibility is None else list(map(float, marks.visibility))
    if track.signals is None:
        return [math.nan] * len(columns([field], num_landmarks))
    match field:
        case "pose":
            return [math.degrees(angle) for angle in track.signals.pose.angles_rad]
        case "signals":
            return [track.signals.values[name] for name in VALUES]
        case _:
            return [track.signals.blendshapes[name] for name in blendshape_names()]
