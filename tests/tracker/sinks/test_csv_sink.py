from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.csv_sink import CsvSink
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks.faces import face, tracked


def make_track(points: np.ndarray, id: int = 0, presence: float = 0.9) -> Track:
    landmarks = Landmarks(points, np.tile(np.eye(2), (len(points), 1, 1)), np.ones(len(points)), presence)
    return Track(id, landmarks, np.zeros(4), Roi(np.zeros(2), 1.0))


def make_frame(*tracks: Track, index: int = 0, time_s: float = 0.0) -> TrackedFrame:
    return TrackedFrame(Frame(np.zeros((6, 8, 3), np.uint8), index, time_s), tracks, StageLatency())


def read_rows(path: Path) -> list[dict[str, str]]:
    """As any CSV reader that takes the space after a comma."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


def test_rows_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    first, second = make_track(np.array([[1.0, 10.0], [2.0, 20.5]]), 0), make_track(np.array([[3.0, 30], [-4, 40]]), 5)
    with CsvSink(path, 2) as sink:
        sink.write(make_frame(first, second, index=0, time_s=0.0))
        sink.write(make_frame(index=2, time_s=0.0667334))
        # readable before the sink is closed, as after a crash
        text = path.read_text()
    assert text == (
        "frame, face_id, timestamp, confidence, success, x_0, x_1, y_0, y_1\n"
        "1, 0, 0.000000, 0.9000, 1, 1.000, 2.000, 10.000, 20.500\n"
        "1, 5, 0.000000, 0.9000, 1, 3.000, -4.000, 30.000, 40.000\n"
        "3, 0, 0.066733, 0, 0, 0, 0, 0, 0\n"
    )


def test_columns_of_68_landmarks(tmp_path: Path) -> None:
    CsvSink(tmp_path / "faces.csv", 68).close()
    header = (tmp_path / "faces.csv").read_text().rstrip("\n").split(", ")
    assert header[:6] == ["frame", "face_id", "timestamp", "confidence", "success", "x_0"]
    assert header[72:74] == ["x_67", "y_0"]
    assert (header[-1], len(header)) == ("y_67", 5 + 2 * 68)


points_lists = st.lists(npst.arrays(np.float64, (3, 2), elements=st.floats(-1e4, 1e4)), max_size=3)


@given(st.lists(st.tuples(points_lists, st.floats(0, 1e5), st.floats(0, 1)), max_size=4))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[list[np.ndarray], float, float]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "faces.csv"
    with CsvSink(path, 3) as sink:
        for index, (faces, time_s, presence) in enumerate(given):
            tracks = [make_track(points, id, presence) for id, points in enumerate(faces)]
            sink.write(make_frame(*tracks, index=index, time_s=time_s))
    rows = iter(read_rows(path))
    for index, (faces, time_s, presence) in enumerate(given):
        for id in range(max(1, len(faces))):
            row = next(rows)
            assert (int(row["frame"]), int(row["face_id"]), row["success"]) == (index + 1, id, "1" if faces else "0")
            assert float(row["timestamp"]) == pytest.approx(time_s, abs=1e-6)
            points = np.array([[float(row[f"x_{k}"]), float(row[f"y_{k}"])] for k in range(3)])
            np.testing.assert_allclose(points, faces[id] if faces else np.zeros((3, 2)), atol=1e-3)
            assert float(row["confidence"]) == pytest.approx(presence if faces else 0, abs=1e-4)
    assert next(rows, None) is None


def test_another_number_of_landmarks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with CsvSink(path, 68) as sink, pytest.raises(SinkError, match="face 4 has 98 landmarks; expected 68"):
        sink.write(make_frame(make_track(np.zeros((98, 2)), 4)))
    assert read_rows(path) == []


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("precious")
    with pytest.raises(SinkError, match="--overwrite"):
        CsvSink(path, 1)
    assert path.read_text() == "precious"
    CsvSink(path, 1, overwrite=True).close()
    assert path.read_text() == "frame, face_id, timestamp, confidence, success, x_0, y_0\n"


def test_signals_are_openfaces_pose_and_what_eyes_and_mouth_do(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with CsvSink(path, 68, signals=True) as sink:
        sink.write(tracked(face(4, rotation=turn(0.1, 0.2, 0.3))))
        sink.write(tracked())
    header = path.read_text().splitlines()[0].split(", ")
    assert header[5:12] == ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz", "x_0"]
    assert header[-4:] == ["y_67", "right_eye_open", "left_eye_open", "mouth_open"]
    seen, empty = read_rows(path)
    pose = [float(seen[name]) for name in header[5:11]]
    np.testing.assert_allclose(pose, [0, 0, 900, 0.1, 0.2, 0.3], atol=2e-3)
    assert float(seen["right_eye_open"]) == 1
    assert set(empty.values()) == {"1", "0.000000", "0"}
