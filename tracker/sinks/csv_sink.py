"""Tracks as CSV in OpenFace's columns, so that scripts written for OpenFace read it."""

from __future__ import annotations

from pathlib import Path

from startrack.tracker.signals import VALUES
from startrack.tracker.signals.head_pose import position_mm
from startrack.tracker.sinks.base import LineFile, Sink, SinkError
from startrack.tracker.types import Frame, Track, TrackedFrame

SEPARATOR = ", "
POSE = tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz")


class CsvSink(Sink):
    """One row per face per frame: frame, face_id, timestamp, confidence, success, pose_Tx … pose_Rz, x_0 … x_K-1,
    y_0 … y_K-1, right_eye_open, left_eye_open, mouth_open … (tracker.signals.VALUES).

    Column names, order and separator are those of OpenFace 2 (RecorderCSV.cpp): frame counts from 1, timestamp is in
    seconds, all x come before all y, frame pixels. Its timestamps have 3 decimals and its landmarks 1; here 6 and 3.
    pose_T is in millimetres (tracker.signals.head_pose.position_mm), pose_R in radians: Rx · Ry · Rz, x right, y down,
    z away. The last ones are 0 to 1 and not OpenFace's; they and the pose stand only where tracks have signals.
    confidence is Landmarks.presence. Like OpenFace's FeatureExtraction, a frame without a face still has a row, with
    face_id, confidence, success and all landmarks 0: keep the rows with success 1, as face_id 0 is a real face too.
    """

    def __init__(self, path: str | Path, num_landmarks: int, *, signals: bool = False, overwrite: bool = False) -> None:
        """num_landmarks: K, ModelSpec.num_landmarks of the engine. signals: whether tracks have them. Raises SinkError
        if the file cannot be opened."""
        self._num_landmarks = num_landmarks
        self._signals = signals
        self._file = LineFile(path, overwrite=overwrite)
        names = [f"{axis}_{k}" for axis in "xy" for k in range(num_landmarks)]
        names = [*POSE, *names, *VALUES] if signals else names
        self._num_values = len(names)
        self._write_row(["frame", "face_id", "timestamp", "confidence", "success", *names])

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if a face has another number of landmarks, or the disk is full."""
        frame, time_s = str(tracked.frame.index + 1), f"{tracked.frame.time_s:.6f}"
        for track in tracked.tracks:
            confidence = f"{track.landmarks.presence:.4f}"
            self._write_row([frame, str(track.id), time_s, confidence, "1", *self._values(track, tracked.frame)])
        if not tracked.tracks:
            self._write_row([frame, "0", time_s, "0", "0", *["0"] * self._num_values])

    def _values(self, track: Track, frame: Frame) -> list[str]:
        coordinates = self._coordinates(track)
        if not self._signals or track.signals is None:
            return coordinates
        pose = track.signals.pose
        head = [*position_mm(pose, frame.width, frame.height), *pose.angles_rad]
        signals = [track.signals.values[name] for name in VALUES]
        return [*(f"{value:.4f}" for value in head), *coordinates, *(f"{value:.4f}" for value in signals)]

    def _coordinates(self, track: Track) -> list[str]:
        points = track.landmarks.points
        if len(points) != self._num_landmarks:
            what = f"face {track.id} has {len(points)} landmarks; expected {self._num_landmarks}, as in the header"
            raise SinkError(f"{self._file.path}: {what}")
        return [f"{value:.3f}" for value in points.T.ravel()]

    def _write_row(self, cells: list[str]) -> None:
        self._file.write_line(SEPARATOR.join(cells))

    def close(self) -> None:
        self._file.close()
