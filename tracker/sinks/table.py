"""Tracked frames as a table of pandas, for notebooks and Parquet files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from startrack.errors import install_line
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import Track, TrackedFrame

if TYPE_CHECKING:
    from pandas import DataFrame


def face_table(tracked: TrackedFrame) -> DataFrame:
    """A row per face: frame, time_s, id, presence, left, top, right, bottom, x_0 … y_0 …, score_0 … (frame pixels), and
    where tracks have signals pitch_deg, yaw_deg, roll_deg, their values and blendshapes.

    Without a face it has the first columns and no row. Raises SinkError if pandas is missing.
    """
    try:
        import pandas
    except ImportError as error:
        raise SinkError(f"pandas is not installed; expected: {install_line('pandas')}") from error
    columns = ["frame", "time_s", "id", "presence", "left", "top", "right", "bottom"]
    rows = [_row(tracked, track) for track in tracked.tracks]
    return pandas.DataFrame(rows, columns=None if rows else columns)


def _row(tracked: TrackedFrame, track: Track) -> dict[str, Any]:
    marks = track.landmarks
    row: dict[str, Any] = {
        "frame": tracked.frame.index,
        "time_s": tracked.frame.time_s,
        "id": track.id,
        "presence": float(marks.presence),
    }
    row |= zip(("left", "top", "right", "bottom"), track.box.tolist(), strict=True)
    for axis, name in enumerate("xy"):
        row |= {f"{name}_{k}": value for k, value in enumerate(marks.points[:, axis].tolist())}
    row |= {f"score_{k}": value for k, value in enumerate(marks.score.tolist())}
    if track.signals is not None:
        angles = (math.degrees(angle) for angle in track.signals.pose.angles_rad)
        row |= zip(("pitch_deg", "yaw_deg", "roll_deg"), angles, strict=True)
        row |= {**track.signals.values, **track.signals.blendshapes}
    return row
