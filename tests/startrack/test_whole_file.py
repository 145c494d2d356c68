"""A file appears whole, with its permissions, and what stood there before stays until then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from startrack.whole_file import remove_stale, whole_file, whole_folder, write_whole
from tests.conftest import FullDisk


def test_a_file_that_fails_leaves_the_old_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")

    def fail_halfway() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["state.json"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_permissions_are_those_of_any_new_file_or_of_the_old_one(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    (tmp_path / "plain").write_text("")
    write_whole(new, "")
    assert new.stat().st_mode == (tmp_path / "plain").stat().st_mode
    old.write_text("")
    old.chmod(0o640)
    write_whole(old, "x")
    assert old.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far" / "file")
    write_whole(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "far" / "file").read_bytes() == b"x"


def test_a_link_at_the_old_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".state.json.partial").symlink_to(victim)
    write_whole(tmp_path / "state.json", "new")
    assert victim.read_text() == "mine"


def test_a_device_is_written_and_stays() -> None:
    write_whole(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_names_the_file(tmp_path: Path, full_disk: FullDisk) -> None:
    with pytest.raises(OSError, match="File too large") as raised, full_disk(10):
        write_whole(tmp_path / "state.json", "x" * 100)
    assert raised.value.filename == str(tmp_path / "state.json")
    assert os.listdir(tmp_path) == []


WRITER = (
    "import sys; from pathlib import Path; from startrack.whole_file import {how}\n"
    "with {how}(Path(sys.argv[1])) as partial:\n"
    "    print(partial, flush=True); sys.stdin.read()"
)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
@pytest.mark.parametrize(("how", "write"), [("whole_file", whole_file), ("whole_folder", whole_folder)])
def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(
    how: str, write: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    target = tmp_path / ("名" * 80)
    command = [sys.executable, "-c", WRITER.format(how=how), str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            partial = Path(other.stdout.readline().strip())
            remove_stale(target)
            assert partial.exists()
            other.send_signal(signal.SIGKILL)
            other.wait()
            assert partial.exists()
            with write(target) as mine:
                assert os.listdir(tmp_path) == [mine.name]
        finally:
            other.kill()
    assert os.listdir(tmp_path) == [target.name]


def test_files_of_others_that_look_alike_stay(tmp_path: Path) -> None:
    others = (
        ".state.json.partial",
        ".state.json.abc.partial",
        ".other.abc123_x.partial",
        "state.json.abc123_x.partial",
    )
    for name in others:
        (tmp_path / name).write_text("mine")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / ".state.json.abc123_x.partial")
    write_whole(tmp_path / "state.json", "new")
    assert set(others) < set(os.listdir(tmp_path))
