"""Every field has as many numbers as columns, in every table."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.csv_sink import CsvSink
from startrack.tracker.sinks.field_names import DERIVED, FIELDS, OF_EYES, parse_fields
from startrack.tracker.sinks.fields import available, columns, numbers
from startrack.tracker.sinks.jsonl_sink import JsonlSink, read_jsonl
from tests.tracker.sinks.faces import face, seeing, tracked


@pytest.mark.parametrize("field", FIELDS)
def test_a_number_for_each_column(field: str) -> None:
    found = numbers(field, face(), 68)
    assert len(found) == len(columns([field], 68))
    assert all(math.isnan(value) for value in found) == (field == "visibility" or field in OF_EYES)
    assert all(isinstance(value, float) for value in found)
    found = numbers(field, seeing(face()), 68, eyes=True)
    assert len(found) == len(columns([field], 68, eyes=True))
    assert any(math.isnan(value) for value in found) == (field == "visibility")


def test_gaze_is_openfaces_by_hand() -> None:
    values = dict(zip(columns(["gaze"], 68), numbers("gaze", seeing(face(), 30.0), 68), strict=True))
    assert list(values)[:8] == [
        *("gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z"),
        *("gaze_angle_x", "gaze_angle_y"),
    ]
    assert values["gaze_0_x"] == pytest.approx(0.5)
    assert values["gaze_1_z"] == pytest.approx(-math.sqrt(0.75))
    assert values["gaze_angle_x"] == pytest.approx(math.radians(30))
    assert values["gaze_angle_y"] == pytest.approx(0)


def test_csv_has_gaze_before_the_pose_where_eyes_are_read(tmp_path: Path) -> None:
    for eyes in (True, False):
        path = tmp_path / f"{eyes}.csv"
        with CsvSink(path, 68, signals=True, eyes=eyes) as sink:
            sink.write(tracked(seeing(face(), 30.0)))
            sink.write(tracked())
        with path.open(newline="") as file:
            seen, empty = csv.DictReader(file, skipinitialspace=True)
        assert (list(seen)[5] == "gaze_0_x") == eyes
        assert list(seen)[5 + 12 * eyes] == "pose_Tx"
        assert not any(value is None for value in (*seen.values(), *empty.values()))
    assert not any("gaze" in name for name in seen)


def test_a_face_whose_eyes_were_not_read_has_no_numbers() -> None:
    assert all(math.isnan(value) for value in numbers("gaze", face(), 68, eyes=True))
    shapes = numbers("blendshapes", face(), 68, eyes=True)
    assert [math.isnan(value) for value in shapes] == [False] * (len(shapes) - 8) + [True] * 8


def test_lines_hold_eyes_and_give_them_back(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    track = seeing(face(2), 20.0, -10.0)
    assert track.eyes is not None
    with JsonlSink(path) as sink:
        sink.write(tracked(track, face(3)))
    [frame] = read_jsonl(path)
    found = frame.faces[0].eyes
    assert found is not None
    for name in ("iris", "radius", "covariance", "visible", "openness", "gaze", "gaze_of_each", "gaze_in_head"):
        np.testing.assert_allclose(getattr(found, name), getattr(track.eyes, name), atol=1e-3)
    assert found.spread_rad == pytest.approx(track.eyes.spread_rad, abs=1e-4)
    assert frame.faces[1].eyes is None
    record = json.loads(path.read_text())
    assert set(record["faces"][0]["blendshapes"]) - set(record["faces"][1]["blendshapes"]) == {
        f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right")
    }
    record["faces"][0]["eyes"]["iris"] = [[1, 2]]
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(SinkError, match=r"out\.jsonl:1: not a line.*shape \(1, 2\); expected \(2, 2\)"):
        list(read_jsonl(path))


def test_columns_are_in_openfaces_order_and_named_by_what_they_hold() -> None:
    names = columns(["points", "scores"], 2)
    assert names == ["x_0", "x_1", "y_0", "y_1", "score_0", "score_1"]
    values = dict(zip(columns(["covariance"], 68), numbers("covariance", face(), 68), strict=True))
    assert (values["xx_3"], values["xy_3"], values["yy_3"]) == (1, 0, 1)


def test_names_are_checked_and_ordered() -> None:
    assert parse_fields("pose, points,pose") == ("points", "pose")
    with pytest.raises(ValueError, match="smile; expected some of box,points"):
        parse_fields("points,smile")
    with pytest.raises(ValueError, match="expected some of"):
        parse_fields(" , ")
    assert set(available(FIELDS, signals=False)) == FIELDS.keys() - DERIVED - OF_EYES
    assert set(available(FIELDS, signals=True)) == FIELDS.keys() - OF_EYES
    assert set(available(FIELDS, signals=True, eyes=True)) == FIELDS.keys()


def test_another_number_of_landmarks_is_refused() -> None:
    with pytest.raises(SinkError, match="face 3 has 68 landmarks; expected 98"):
        numbers("pose", face(3), 98)


def test_csv_holds_the_named_fields_only(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "out.csv", 68, signals=True, fields=("box", "pose", "blendshapes")) as sink:
        sink.write(tracked(face()))
        sink.write(tracked())
    with (tmp_path / "out.csv").open(newline="") as file:
        seen, empty = csv.DictReader(file, skipinitialspace=True)
    assert list(seen)[5:15] == [
        *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
        "left",
        "top",
        "right",
        "bottom",
    ]
    assert (seen["left"], seen["bottom"]) == ("1.000", "4.000")
    assert "x_0" not in seen
    assert 0 <= float(seen["jawOpen"]) <= 1
    assert {empty[name] for name in seen if name not in ("frame", "timestamp")} == {"0"}


def test_lines_hold_the_named_fields_only(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonlSink(path, fields=("pose",)) as sink:
        sink.write(tracked(face(2)))
    record = json.loads(path.read_text())
    assert record["format"] == 2
    assert [list(one) for one in record["faces"]] == [["id", "presence", "pose"]]
    with pytest.raises(SinkError, match=r"out\.jsonl:1: not a line"):
        list(read_jsonl(path))


def test_lines_of_the_first_format_are_read_and_later_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonlSink(path) as sink:
        sink.write(tracked(face(2)))
    record = json.loads(path.read_text())
    del record["format"]
    record["added_later"] = 1
    path.write_text(json.dumps(record) + "\n")
    [frame] = read_jsonl(path)
    np.testing.assert_allclose(frame.faces[0].landmarks.points, face().landmarks.points, atol=1e-3)
    path.write_text(json.dumps(record | {"format": 3}) + "\n")
    with pytest.raises(SinkError, match="format 3; expected 2 or less"):
        list(read_jsonl(path))
