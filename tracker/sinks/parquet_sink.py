"""Tracks as a Parquet file: a row per face and frame, for pandas, Polars, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from startrack.errors import install_line
from startrack.tracker.sinks.base import Sink, SinkError, check_output
from startrack.tracker.sinks.fields import available, columns
from startrack.tracker.sinks.table import KEYS, USUAL, table_rows
from startrack.tracker.types import TrackedFrame
from startrack.whole_file import whole_file

ROWS = 2000
"""Rows of a group, which is held in memory until it is written."""


class ParquetSink(Sink):
    """One row per face per frame: frame, time_s, id, presence and the columns of the fields, as Result.to_pandas has
    them. frame counts from 0; frame and id are integers, time_s float64, all others float32.

    The file appears when the sink is closed: Parquet's index is its end. A frame without a face has no row.
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
        names of tracker.sinks.field_names.FIELDS. Raises SinkError if the file cannot be written or pyarrow is
        missing."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise SinkError(f"{path}: pyarrow is not installed; expected: {install_line('pandas')}") from error
        self._path = check_output(path, overwrite=overwrite, seekable=True)
        self._num_landmarks, self._eyes = num_landmarks, eyes
        self._fields = available(fields, signals=signals, eyes=eyes)
        kinds = {"frame": pyarrow.int64(), "time_s": pyarrow.float64(), "id": pyarrow.int64()}
        names = [*KEYS, *columns(self._fields, num_landmarks, eyes=eyes)]
        self._schema: Any = pyarrow.schema([(name, kinds.get(name, pyarrow.float32())) for name in names])
        self._arrow: Any = pyarrow
        self._rows: list[list[Any]] = []
        self._closing = ExitStack()
        try:
            partial = self._closing.enter_context(whole_file(self._path))
            writer = parquet.ParquetWriter(partial, self._schema, compression="zstd")
            self._writer: Any = self._closing.enter_context(writer)
        except OSError as error:
            raise self._error(error) from error

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if a face has another number of landmarks, or the disk is full."""
        try:
            self._rows += table_rows(tracked, self._fields, self._num_landmarks, eyes=self._eyes)
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}") from error
        if len(self._rows) >= ROWS:
            self._write_rows()

    def _write_rows(self) -> None:
        cells = zip(*self._rows, strict=True)
        arrays = [self._arrow.array(column, field.type) for column, field in zip(cells, self._schema, strict=True)]
        self._rows = []
        try:
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> SinkError:
        return SinkError(f"{self._path}: cannot be written: {error.strerror or error}")

    def close(self) -> None:
        """Finish the file. Raises SinkError if the disk is full."""
        closing, self._closing = self._closing, ExitStack()
        try:
            with closing:
                if self._rows:
                    self._write_rows()
        except OSError as error:
            raise self._error(error) from error
