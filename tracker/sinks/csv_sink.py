"""Tracks as CSV in OpenFace's columns, so that scripts written for OpenFace read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from startrack.tracker.sinks.base import LineFile, Sink, SinkError
from startrack.tracker.sinks.fields import available, columns, numbers
from startrack.tracker.types import Track, TrackedFrame

SEPARATOR = ", "
POSE = tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz")
USUAL = ("gaze", "pose", "points", "signals")
"""The fields of CSV unless others are named."""
POINT_DECIMALS, OTHER_DECIMALS = 3, 4


class CsvSink(Sink):
    """One row per face per frame: frame, face_id, timestamp, confidence, success, gaze_0_x … gaze_angle_y where eyes
    are read, pose_Tx … pose_Rz, x_0 … x_K-1, y_0 … y_K-1, right_eye_open, left_eye_open, mouth_open …
    (tracker.signals.VALUES).

    Column names, order and separator are those of OpenFace 2 (RecorderCSV.cpp): frame counts from 1, timestamp is in
    seconds, all x come before all y, frame pixels. Its timestamps have 3 decimals and its landmarks 1; here 6 and 3.
    pose_T is in millimetres (tracker.types.HeadPose.position_mm), pose_R in radians: Rx · Ry · Rz, x right, y down,
    z away. The signals are 0 to 1 and not OpenFace's; they and the pose are written only where tracks have signals.
    confidence is Landmarks.presence. Like OpenFace's FeatureExtraction, a frame without a face still has a row, with
    face_id, confidence, success and all landmarks 0: keep the rows with success 1, as face_id 0 is a real face too.

    gaze_0 is of the eye on the picture's left; after OpenFace's eight columns come gaze_head_x, y, z (in the head's
    axes) and gaze_spread (radians).

    Other fields (tracker.sinks.field_names) take the place of these on request; gaze and pose then come first, too.
    """

    def __init__(
        self,
        path: str | Path,
        num_landmarks: int,
        *,
        signals: bool = False,
        eyes: bool = False,
        fields: Sequence[str] = USUAL,
        overwrite: bool = False,
    ) -> None:
        """num_landmarks: K, ModelSpec.num_landmarks of the engine. signals, eyes: whether tracks have them. fields:
        names of tracker.sinks.field_names.FIELDS. Raises SinkError if the file cannot be opened."""
        self._num_landmarks, self._eyes = num_landmarks, eyes
        given = available(fields, signals=signals, eyes=eyes)
        first = tuple(name for name in ("gaze", "pose") if name in given)
        self._fields = (*first, *(name for name in given if name not in first))
        self._file = LineFile(path, overwrite=overwrite)
        names = [column for name in self._fields for column in self._columns(name)]
        self._num_values = len(names)
        self._write_row(["frame", "face_id", "timestamp", "confidence", "success", *names])

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if a face has another number of landmarks, or the disk is full."""
        frame, time_s = str(tracked.frame.index + 1), f"{tracked.frame.time_s:.6f}"
        for track in tracked.tracks:
            confidence = f"{track.landmarks.presence:.4f}"
            self._write_row([frame, str(track.id), time_s, confidence, "1", *self._values(track)])
        if not tracked.tracks:
            self._write_row([frame, "0", time_s, "0", "0", *["0"] * self._num_values])

    def _columns(self, field: str) -> Sequence[str]:
        return POSE if field == "pose" else columns([field], self._num_landmarks, eyes=self._eyes)

    def _values(self, track: Track) -> list[str]:
        cells: list[str] = []
        for field in self._fields:
            if field == "pose":
                cells += self._pose_cells(track)
                continue
            decimals = POINT_DECIMALS if field in ("points", "box", "eyes") else OTHER_DECIMALS
            try:
                values = numbers(field, track, self._num_landmarks, eyes=self._eyes)
            except SinkError as error:
                raise SinkError(f"{self._file.path}: {error}") from error
            cells += [f"{value:.{decimals}f}" for value in values]
        return cells

    @staticmethod
    def _pose_cells(track: Track) -> list[str]:
        if track.signals is None:
            return ["nan"] * len(POSE)
        pose = track.signals.pose
        head = (*pose.position_mm, *pose.angles_rad)
        return [f"{value:.{OTHER_DECIMALS}f}" for value in head]

    def _write_row(self, cells: list[str]) -> None:
        self._file.write_line(SEPARATOR.join(cells))

    def close(self) -> None:
        self._file.close()
