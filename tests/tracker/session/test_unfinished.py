"""Outputs of a killed run are begun again; everybody else's files are safe."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from startrack.tracker.session.run import check_outputs
from startrack.tracker.session.unfinished import Claims, is_unfinished
from startrack.tracker.sinks.base import SinkError

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from startrack.tracker.session.unfinished import Claims
files = [Path(name) for name in sys.argv[1:]]
claims = Claims(files)
for path in files:
    path.write_text("half")
print("writing", flush=True)
sys.stdin.read()
"""


@contextmanager
def writer(*paths: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that writes these outputs, and is killed at the end of the block."""
    command = [sys.executable, "-c", WRITER, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        try:
            yield process
        finally:
            process.kill()


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_what_a_killed_run_left_is_begun_again(tmp_path: Path) -> None:
    out, other, lines = tmp_path / "out.jsonl", tmp_path / "out.mp4", list[str]()
    with writer(out, other):
        assert not is_unfinished(out)
        with pytest.raises(SinkError, match="another run is writing it"):
            Claims([out], overwrite=True)
    assert is_unfinished(out)
    assert is_unfinished(other)
    check_outputs("clip.mp4", (out, other), overwrite=False)
    (tmp_path / ".out.jsonl.abc123_x.partial").write_text("of a file that was to appear whole")
    with Claims([out, other], report=lines.append) as claims:
        assert claims.may_replace(out)
        assert not is_unfinished(out)
        out.write_text("whole")
    assert len(lines) == 2
    assert "an earlier run was killed while it wrote this" in lines[0]
    assert hidden(tmp_path) == []
    assert not is_unfinished(out)
    with pytest.raises(SinkError, match="exists already"):
        check_outputs("clip.mp4", (out,), overwrite=False)


def test_a_file_that_somebody_put_in_its_place_is_theirs(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with writer(out):
        pass
    kept = tmp_path / "kept.jsonl"
    out.rename(kept)
    out.write_text("theirs")
    assert not is_unfinished(out)
    assert not is_unfinished(kept)
    with pytest.raises(SinkError, match="exists already"):
        check_outputs("clip.mp4", (out,), overwrite=False)
    with Claims([out]) as claims:
        assert not claims.may_replace(out)
    assert out.read_text() == "theirs"


@pytest.mark.parametrize("content", ["", "1", "1 2", "word", "\0" * 100])
def test_a_damaged_note_protects_the_file(tmp_path: Path, content: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("theirs")
    (tmp_path / ".out.jsonl.unfinished").write_text(content)
    assert not is_unfinished(out)


def test_an_error_and_a_run_without_frames_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with suppress(ZeroDivisionError), Claims([out]):
        assert out.exists()
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_takes_the_place_of_the_claimed_one_is_noted(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    claims = Claims([out])
    whole = tmp_path / "whole"
    whole.write_text("whole")
    whole.replace(out)
    claims.note()
    # as a kill would leave it
    note = tmp_path / ".out.parquet.unfinished"
    text = note.read_bytes()
    claims.close()
    note.write_bytes(text)
    assert is_unfinished(out)


def test_folders_devices_and_the_screen(tmp_path: Path) -> None:
    crops, full = tmp_path / "crops", tmp_path / "full"
    full.mkdir()
    with Claims([None, Path("-"), Path("/dev/null")], folders=[None, crops, full]) as claims:
        assert not crops.exists()
        assert claims.may_replace(crops)
        assert not claims.may_replace(full)
    assert hidden(tmp_path) == []
