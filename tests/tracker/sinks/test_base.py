"""Where an output may go: new files, devices and pipes, never over something that would be lost."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from startrack.tracker.sinks.base import LineFile, SinkError, check_output

posix = pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes of POSIX")


@posix
def test_a_device_is_written_without_asking() -> None:
    assert check_output("/dev/null", overwrite=False) == Path("/dev/null")
    file = LineFile("/dev/null", overwrite=False)
    file.write_line("gone")
    file.close()
    assert Path("/dev/null").is_char_device()


@posix
def test_a_pipe_gets_the_lines(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    file = LineFile(pipe, overwrite=False)
    file.write_line("first")
    file.close()
    reader.join()
    assert read == ["first\n"]


@posix
def test_a_video_needs_a_file() -> None:
    with pytest.raises(SinkError, match="/dev/null: a device or pipe; expected the name of a file"):
        check_output("/dev/null", overwrite=True, seekable=True)


def test_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(SinkError, match="exists already; expected a new name, or --overwrite"):
        LineFile(path, overwrite=False)
    assert path.read_text() == "mine"


def test_a_closed_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SinkError, match="-: the standard output is closed; expected the name of a file"):
        LineFile("-", overwrite=False)
