from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.sinks import parquet_sink
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.parquet_sink import ParquetSink
from startrack.tracker.sinks.table import face_table
from tests.tracker.sinks.faces import face, tracked


def test_rows_are_those_of_to_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(parquet_sink, "ROWS", 3)  # two groups and a rest
    frames = [tracked(face(0), face(1), time_s=index / 25) for index in range(4)]
    with ParquetSink(tmp_path / "out.parquet", 68, signals=True) as sink:
        for frame in [*frames, tracked()]:
            sink.write(frame)
        assert not (tmp_path / "out.parquet").exists()
    table = pandas.read_parquet(tmp_path / "out.parquet")
    expected = pandas.concat([face_table(frame) for frame in frames])
    assert list(table.columns) == list(expected.columns)
    np.testing.assert_allclose(table.to_numpy(), expected.to_numpy(), rtol=1e-6, atol=1e-6)
    assert (table["id"].dtype, table["x_0"].dtype) == (np.int64, np.float32)


def test_a_file_without_a_face_has_its_columns(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with ParquetSink(tmp_path / "out.parquet", 5, fields=("points", "pose")) as sink:
        sink.write(tracked())
    assert list(pandas.read_parquet(tmp_path / "out.parquet").columns)[:5] == [
        "frame",
        "time_s",
        "id",
        "presence",
        "x_0",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "out.parquet"]


def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "out.parquet"
    path.write_text("precious")
    with pytest.raises(SinkError, match="exists already; expected a new name, or --overwrite"):
        ParquetSink(path, 68)
    with ParquetSink(path, 98, overwrite=True) as sink, pytest.raises(SinkError, match="face 4 has 68 landmarks"):
        sink.write(tracked(face(4)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SinkError, match=r"pyarrow is not installed; expected: pip install 'startrack\[pandas\]'"):
        ParquetSink(tmp_path / "other.parquet", 68)
