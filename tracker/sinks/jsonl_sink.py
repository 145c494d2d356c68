"""Tracks as JSON lines, one per frame, and back."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from startrack.outside import parse_json, reason, shown
from startrack.tracker.sinks.base import LineFile, Sink, SinkError
from startrack.tracker.sinks.field_names import FIELDS
from startrack.tracker.sinks.recorded_eyes import eyes_from_json, eyes_to_json
from startrack.tracker.types import Eyes, FaceSignals, FloatArray, Landmarks, Track, TrackedFrame

EYES = ("right_eye_open", "left_eye_open")
"""Signals that are written as one list."""
# decimals
PIXELS, SQUARE_PIXELS, PROBABILITY, SECONDS, DEGREES, MATRIX = 3, 4, 4, 6, 2, 6


FORMAT = 2
"""Of the lines; docs/formats.md says what stays the same within a format."""


class JsonlSink(Sink):
    """One line per frame, with or without faces:

    {"format": 2, "index", "time_s", "width", "height", "faces": [{"id", "box": [left, top, right, bottom], "presence",
    "points": [[x, y], …], "covariance": [[xx, xy, yy], …], "scores": [s, …]}, …]}

    where the model gives it "visibility": [v, …], 0 covered to 1 in plain view (tracker.types.Landmarks), and, where
    tracks have signals, "pose": {"pitch_deg", "yaw_deg",
    "roll_deg", "matrix": 4 rows of 4, from the head to the camera in mm}, "eyes_open": [right, left], the other
    signals by their names (tracker.signals.VALUES) and "blendshapes": {"jawOpen": …} (tracker.types.FaceSignals).
    Where eyes are read, "eyes" and "gaze" (tracker.sinks.recorded_eyes), and eyeLookUpRight … among the blendshapes.
    Where asked for, "raw_points": [[x, y], …], the landmarks before smoothing.

    "start_time_s", where the source has it, is the time of time_s 0 on the container's own clock.

    Frame pixels, px² and seconds; the 2×2 covariance of a landmark is [[xx, xy], [xy, yy]]. Each line reaches the
    operating system before write returns, so earlier frames survive a crash.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        raw_points: bool = False,
        fields: Collection[str] = tuple(FIELDS),
        start_time_s: float | None = None,
        overwrite: bool = False,
    ) -> None:
        """raw_points: the unsmoothed landmarks, too. fields: names of tracker.sinks.field_names.FIELDS; id and presence
        are always written. start_time_s: VideoInfo's, part of every line where it is known. Raises SinkError if the
        file cannot be opened."""
        self._raw_points, self._fields, self._start_time_s = raw_points, frozenset(fields), start_time_s
        self._file = LineFile(path, overwrite=overwrite)

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if a landmark is not a finite number (JSON has no NaN), or the disk is full."""
        try:
            record = frame_record(
                tracked, raw_points=self._raw_points, fields=self._fields, start_time_s=self._start_time_s
            )
            line = json.dumps(record, allow_nan=False, separators=(",", ":"))
        except ValueError as error:
            what = f"frame {tracked.frame.index} holds a landmark that is not a finite number"
            raise SinkError(f"{self._file.path}: {what}") from error
        self._file.write_line(line)

    def close(self) -> None:
        self._file.close()


def frame_record(
    tracked: TrackedFrame,
    *,
    raw_points: bool = False,
    fields: Collection[str] = tuple(FIELDS),
    start_time_s: float | None = None,
) -> dict[str, Any]:
    """What JsonlSink writes of a frame."""
    frame = tracked.frame
    start = {} if start_time_s is None else {"start_time_s": round(start_time_s, SECONDS)}
    return {
        "format": FORMAT,
        "index": frame.index,
        "time_s": round(frame.time_s, SECONDS),
        **start,
        "width": frame.width,
        "height": frame.height,
        "faces": [_face_to_json(track, fields, raw_points=raw_points) for track in tracked.tracks],
    }


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFace:
    """One face of a line."""

    id: int
    box: FloatArray
    """(4,) xyxy in frame pixels."""
    landmarks: Landmarks
    eyes: Eyes | None = None
    """None where the line has not both "eyes" and "gaze"."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFrame:
    """One line of a JSONL file."""

    index: int
    time_s: float
    width: int
    """Frame pixels."""
    height: int
    faces: tuple[RecordedFace, ...]


LONGEST_LINE = 1 << 28
"""Bytes: a frame of 10,000 faces has some 100 MB."""


def read_jsonl(path: str | Path) -> Iterator[RecordedFrame]:
    """The frames of a file that JsonlSink wrote; a last line that a crash left unfinished is passed over.

    Raises SinkError (file:line) where a line is not one of JsonlSink's.
    """
    with _opened(Path(path)) as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST_LINE)
            if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                return
            try:
                record: dict[str, Any] = parse_json(line)
                if record.get("format", 1) > FORMAT:
                    raise ValueError(f"format {record['format']}; expected {FORMAT} or less")
                faces = tuple(_face_from_json(face) for face in record["faces"])
                yield RecordedFrame(record["index"], record["time_s"], record["width"], record["height"], faces)
            except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
                what = shown(error, longest=200)
                raise SinkError(f"{path}:{number}: not a line of a startrack JSONL file: {what}") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SinkError(f"{path}: cannot be read: {reason(error)}") from error


def _face_to_json(track: Track, fields: Collection[str], *, raw_points: bool) -> dict[str, Any]:
    record: dict[str, Any] = {"id": track.id, "presence": round(float(track.landmarks.presence), PROBABILITY)}
    record |= _landmarks_to_json(track, fields)
    if raw_points:
        record["raw_points"] = _rounded(track.landmarks.unsmoothed, PIXELS)
    if track.signals is not None:
        record |= _signals_to_json(track.signals, fields)
    if track.eyes is not None:
        record |= eyes_to_json(track.eyes, fields)
    return record


def _landmarks_to_json(track: Track, fields: Collection[str]) -> dict[str, Any]:
    landmarks, record = track.landmarks, dict[str, Any]()
    if "box" in fields:
        record["box"] = _rounded(track.box, PIXELS)
    if "points" in fields:
        record["points"] = _rounded(landmarks.points, PIXELS)
    if "covariance" in fields:
        record["covariance"] = _rounded(landmarks.covariance[:, [0, 0, 1], [0, 1, 1]], SQUARE_PIXELS)
    if "scores" in fields:
        record["scores"] = _rounded(landmarks.score, PROBABILITY)
    if "visibility" in fields and landmarks.visibility is not None:
        record["visibility"] = _rounded(landmarks.visibility, PROBABILITY)
    return record


def _signals_to_json(signals: FaceSignals, fields: Collection[str]) -> dict[str, Any]:
    record = dict[str, Any]()
    if "pose" in fields:
        angles = (round(math.degrees(angle), DEGREES) for angle in signals.pose.angles_rad)
        record["pose"] = dict(zip(("pitch_deg", "yaw_deg", "roll_deg"), angles, strict=True))
        record["pose"]["matrix"] = _rounded(signals.pose.matrix, MATRIX)
    if "signals" in fields:
        values = {name: round(value, PROBABILITY) for name, value in signals.values.items()}
        record["eyes_open"] = [values.pop(name) for name in EYES]
        record |= values
    if "blendshapes" in fields:
        record["blendshapes"] = {name: round(value, PROBABILITY) for name, value in signals.blendshapes.items()}
    return record


def _face_from_json(face: dict[str, Any]) -> RecordedFace:
    upper = np.asarray(face["covariance"], np.float64).reshape(-1, 3)
    landmarks = Landmarks(
        points=np.asarray(face["points"], np.float64).reshape(-1, 2),
        covariance=upper[:, [0, 1, 1, 2]].reshape(-1, 2, 2),
        score=np.asarray(face["scores"], np.float64),
        presence=face["presence"],
        visibility=np.asarray(face["visibility"], np.float64) if "visibility" in face else None,
        raw_points=np.asarray(face["raw_points"], np.float64).reshape(-1, 2) if "raw_points" in face else None,
    )
    box = np.asarray(face["box"], np.float64)
    return RecordedFace(id=face["id"], box=box, landmarks=landmarks, eyes=eyes_from_json(face))


def _rounded(values: FloatArray, decimals: int) -> Any:
    return np.asarray(values, np.float64).round(decimals).tolist()
