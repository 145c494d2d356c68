"""The columns and the numbers of each field of a face (tracker.sinks.field_names)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from startrack.tracker.signals import VALUES, blendshape_names
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.field_names import DERIVED, OF_EYES
from startrack.tracker.types import Eyes, Track

ANGLES = ("pitch_deg", "yaw_deg", "roll_deg")
EYES = tuple(
    f"{name}_{eye}" for name in ("iris_x", "iris_y", "iris_radius", "iris_visible", "openness") for eye in "01"
)
"""Eye 0 is the one on the picture's left, the face's own right eye, as in OpenFace."""
GAZE = (
    *(f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y", "gaze_head_x", "gaze_head_y", "gaze_head_z", "gaze_spread"),
)
"""The first eight are OpenFace's: unit vectors in the camera's axes, and the angles of their mean in radians."""


def available(fields: Iterable[str], *, signals: bool, eyes: bool = False) -> tuple[str, ...]:
    """Those of the fields that the models give. signals: whether tracks have iBUG's 68 landmarks. eyes: whether their
    eyes are read."""
    return tuple(
        name for name in fields if (signals or name not in DERIVED) and ((signals and eyes) or name not in OF_EYES)
    )


def columns(fields: Sequence[str], num_landmarks: int, *, eyes: bool = False) -> list[str]:
    """Names of the columns, such as left, x_0, score_0, pitch_deg, mouth_open, jawOpen. eyes: whether they are read."""
    marks = range(num_landmarks)
    names = {
        "box": ("left", "top", "right", "bottom"),
        "points": (*(f"x_{k}" for k in marks), *(f"y_{k}" for k in marks)),
        "scores": tuple(f"score_{k}" for k in marks),
        "covariance": tuple(f"{name}_{k}" for name in ("xx", "xy", "yy") for k in marks),
        "visibility": tuple(f"visibility_{k}" for k in marks),
        "eyes": EYES,
        "gaze": GAZE,
        "pose": ANGLES,
        "signals": VALUES,
        "blendshapes": blendshape_names(eyes=eyes),
    }
    return [column for field in fields for column in names[field]]


def numbers(field: str, track: Track, num_landmarks: int, *, eyes: bool = False) -> list[float]:
    """The values of a field's columns; NaN where the models give none. eyes: as in columns. Raises SinkError if the
    face has another number of landmarks."""
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
    if track.signals is None or (track.eyes is None and field in OF_EYES):
        return [math.nan] * len(columns([field], num_landmarks, eyes=eyes))
    match field:
        case "pose":
            return [math.degrees(angle) for angle in track.signals.pose.angles_rad]
        case "signals":
            return [track.signals.values[name] for name in VALUES]
        case "blendshapes":
            return [track.signals.blendshapes.get(name, math.nan) for name in blendshape_names(eyes=eyes)]
        case _:
            assert track.eyes is not None
            return _of_irises(track.eyes) if field == "eyes" else _of_gaze(track.eyes)


def _of_irises(eyes: Eyes) -> list[float]:
    columns = (*eyes.iris.T, eyes.radius, eyes.visible, eyes.openness)
    return [float(value) for column in columns for value in column]


def _of_gaze(eyes: Eyes) -> list[float]:
    return [
        *map(float, eyes.gaze_of_each.ravel()),
        *eyes.angles_rad,
        *map(float, eyes.gaze_in_head),
        eyes.spread_rad,
    ]
