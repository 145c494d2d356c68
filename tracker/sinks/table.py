"""Tracked frames as a table of pandas, for notebooks and Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from startrack.errors import install_line
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.fields import available, columns, numbers
from startrack.tracker.types import TrackedFrame

if TYPE_CHECKING:
    from pandas import DataFrame

USUAL = ("box", "points", "scores", "eyes", "gaze", "pose", "signals", "blendshapes")
"""The fields of a table unless others are named."""
KEYS = ("frame", "time_s", "id", "presence")
"""The columns that every table begins with."""


def table_rows(
    tracked: TrackedFrame, fields: tuple[str, ...], num_landmarks: int, *, eyes: bool = False
) -> list[list[Any]]:
    """A row per face: KEYS, then the numbers of the fields' columns. eyes: whether they are read. Raises SinkError if a
    face has another number of landmarks."""
    return [
        [tracked.frame.index, tracked.frame.time_s, track.id, float(track.landmarks.presence)]
        + [value for field in fields for value in numbers(field, track, num_landmarks, eyes=eyes)]
        for track in tracked.tracks
    ]


def face_table(tracked: TrackedFrame) -> DataFrame:
    """A row per face: frame, time_s, id, presence, left, top, right, bottom, x_0 … y_0 …, score_0 … (frame pixels), and
    where tracks have signals pitch_deg, yaw_deg, roll_deg, their values and blendshapes, and where eyes are read
    iris_x_0 …, openness_1, gaze_0_x … (tracker.sinks.fields).

    Without a face it has the first columns and no row. Raises SinkError if pandas is missing.
    """
    try:
        import pandas
    except ImportError as error:
        raise SinkError(f"pandas is not installed; expected: {install_line('pandas')}") from error
    if not tracked.tracks:
        return pandas.DataFrame([], columns=[*KEYS, *columns(("box",), 0)])
    first = tracked.tracks[0]
    eyes = first.eyes is not None
    fields = available(USUAL, signals=first.signals is not None, eyes=eyes)
    count = len(first.landmarks.points)
    rows = table_rows(tracked, fields, count, eyes=eyes)
    return pandas.DataFrame(rows, columns=[*KEYS, *columns(fields, count, eyes=eyes)])
