from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.jsonl_sink import JsonlSink, read_jsonl
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks import faces as heads

if TYPE_CHECKING:
    from tests.conftest import FullDisk

pixels = st.floats(-1e4, 1e4)
shares = st.floats(0, 1)


def make_track(
    points: np.ndarray, *, id: int = 0, presence: float = 0.9, covariance: np.ndarray | None = None
) -> Track:
    spread = np.tile(np.eye(2), (len(points), 1, 1)) if covariance is None else covariance
    landmarks = Landmarks(points, spread, np.full(len(points), 0.5), presence)
    return Track(id, landmarks, np.array([1.0, 2.0, 3.0, 4.0]), Roi(np.zeros(2), 1.0))


def make_frame(*tracks: Track, index: int = 0, time_s: float = 0.0) -> TrackedFrame:
    return TrackedFrame(Frame(np.zeros((6, 8, 3), np.uint8), index, time_s), tracks, StageLatency())


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    num_landmarks = draw(st.integers(0, 4))
    points = draw(npst.arrays(np.float64, (num_landmarks, 2), elements=pixels))
    spread = draw(npst.arrays(np.float64, (num_landmarks, 2, 2), elements=st.floats(0, 1e3)))
    return make_track(points, id=draw(st.integers(0, 99)), presence=draw(shares), covariance=spread + spread.mT)


@given(st.lists(st.tuples(st.lists(tracks(), max_size=3), st.floats(0, 1e5)), max_size=4))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[list[Track], float]]
):
    path = tmp_path_factory.mktemp("jsonl") / "faces.jsonl"
    with JsonlSink(path) as sink:
        for index, (faces, time_s) in enumerate(given):
            sink.write(make_frame(*faces, index=index, time_s=time_s))
    frames = list(read_jsonl(path))
    assert [frame.index for frame in frames] == list(range(len(given)))
    for frame, (faces, time_s) in zip(frames, given, strict=True):
        assert (frame.width, frame.height) == (8, 6)
        assert frame.time_s == pytest.approx(time_s, abs=1e-6)
        for face, track in zip(frame.faces, faces, strict=True):
            assert face.id == track.id
            assert face.landmarks.presence == pytest.approx(track.landmarks.presence, abs=1e-4)
            np.testing.assert_allclose(face.box, track.box, atol=1e-3)
            np.testing.assert_allclose(face.landmarks.points, track.landmarks.points, atol=1e-3)
            np.testing.assert_allclose(face.landmarks.covariance, track.landmarks.covariance, atol=1e-4)
            np.testing.assert_allclose(face.landmarks.score, track.landmarks.score, atol=1e-4)


def test_a_line_by_hand(tmp_path: Path) -> None:
    track = make_track(np.array([[1.5, 2.25]]), id=7, covariance=np.array([[[4.0, 1.0], [1.0, 9.0]]]))
    path = tmp_path / "faces.jsonl"
    with JsonlSink(path) as sink:
        sink.write(make_frame(track, index=3, time_s=0.12))
        # readable before the sink is closed, as after a crash
        record = json.loads(path.read_text())
    assert record == {
        "format": 2,
        "index": 3,
        "time_s": 0.12,
        "width": 8,
        "height": 6,
        "faces": [
            {
                "id": 7,
                "box": [1, 2, 3, 4],
                "presence": 0.9,
                "points": [[1.5, 2.25]],
                "covariance": [[4, 1, 9]],
                "scores": [0.5],
            }
        ],
    }


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_json_has_no_nan(tmp_path: Path, value: float) -> None:
    path = tmp_path / "faces.jsonl"
    with JsonlSink(path) as sink:
        sink.write(make_frame())
        with pytest.raises(SinkError, match="frame 5 holds a landmark that is not a finite number"):
            sink.write(make_frame(make_track(np.array([[value, 0.0]])), index=5))
    assert len(list(read_jsonl(path))) == 1


def test_an_unfinished_last_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    with JsonlSink(path) as sink:
        for index in range(3):
            sink.write(make_frame(index=index))
    path.write_text(path.read_text()[:-5])
    assert [frame.index for frame in read_jsonl(path)] == [0, 1]


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"index":1,"faces":[{}]}', '{"index":1,"faces":[]}'])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(SinkError, match=r"faces\.jsonl:1: not a line of a startrack JSONL file"):
        list(read_jsonl(path))


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_text("precious")
    with pytest.raises(SinkError, match="exists already; expected a new name, or --overwrite"):
        JsonlSink(path)
    assert path.read_text() == "precious"
    JsonlSink(path, overwrite=True).close()
    assert path.read_text() == ""


def test_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="there is no folder"):
        JsonlSink(tmp_path / "gone" / "faces.jsonl")
    with pytest.raises(SinkError, match="a folder; expected the name of a file"):
        JsonlSink(tmp_path, overwrite=True)


def test_a_full_disk_is_named_and_leaves_earlier_lines(tmp_path: Path, full_disk: FullDisk) -> None:
    sink = JsonlSink(tmp_path / "faces.jsonl")
    sink.write(make_frame())
    with full_disk(100), pytest.raises(SinkError, match=r"faces\.jsonl: cannot be written: "):
        sink.write(make_frame())
    sink.close()
    sink.close()
    assert len(list(read_jsonl(tmp_path / "faces.jsonl"))) >= 1


def test_signals_stand_beside_the_landmarks(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    with JsonlSink(path) as sink:
        sink.write(heads.tracked(heads.face(rotation=turn(0.1, 0.2, 0.3))))
    [record] = json.loads(path.read_text())["faces"]
    angles = record["pose"]
    assert [angles[f"{name}_deg"] for name in ("pitch", "yaw", "roll")] == pytest.approx(
        np.degrees([0.1, 0.2, 0.3]), abs=0.01
    )
    matrix = np.array(angles["matrix"])
    np.testing.assert_allclose(matrix[:3, :3], turn(0.1, 0.2, 0.3), atol=1e-5)
    np.testing.assert_allclose(matrix[:, 3], [0, 0, 900, 1], atol=1e-2)
    assert record["eyes_open"] == [1, 1]
    assert record["mouth_open"] == record["blendshapes"]["jawOpen"]
    assert len(list(read_jsonl(path))) == 1


def test_visibilities_are_written_where_the_model_gives_them(tmp_path: Path) -> None:
    seen = Landmarks(np.ones((3, 2)), np.ones((3, 2, 2)), np.ones(3), 1.0, np.array([0.0, 0.25, 1.0]))
    unknown = Landmarks(np.ones((3, 2)), np.ones((3, 2, 2)), np.ones(3), 1.0)
    tracks = [Track(n, one, np.zeros(4), Roi(np.zeros(2), 1.0)) for n, one in enumerate((seen, unknown))]
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0)
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        sink.write(TrackedFrame(frame, tuple(tracks), StageLatency()))
    (recorded,) = read_jsonl(tmp_path / "out.jsonl")
    first, second = (face.landmarks.visibility for face in recorded.faces)
    np.testing.assert_allclose(first, [0.0, 0.25, 1.0])
    assert second is None
