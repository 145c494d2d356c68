"""The program from its first line to its last: signals, and a standard output that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
ROOT = Path(__file__).parents[2]
ENDINGS = [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted"), ("SIGHUP", 129, "hung up")]
BEFORE = {
    "imports": """
class Ender:
    def find_spec(self, name, *_):
        if name == "typer":
            end()
sys.meta_path.insert(0, Ender())
""",
    # threads are waited for once the command is done
    "the shutdown's wait for threads": """
threading.Thread(target=lambda: (threading.main_thread().join(), time.sleep(0.2), end(), time.sleep(60))).start()
""",
}
"""When a signal comes while there is nothing to be finished → code that has it come then."""


def ended(name: str, before: str, *words: str, command: str = "startrack") -> subprocess.CompletedProcess[str]:
    """A command that sends itself a signal: before is run first, and knows end()."""
    code = f"""
import atexit, os, signal, sys, threading, time
def end():
    os.kill(os.getpid(), signal.{name})
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in its background
{before}
from startrack.__main__ import main
sys.argv[0] = "{command}"
main()
"""
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize(("name", "code", "word"), ENDINGS)
def test_a_signal_ends_with_a_line_while_nothing_is_there_to_be_finished(
    name: str, code: int, word: str, before: str
) -> None:
    done = ended(name, before, "--version")
    assert (done.returncode, done.stderr) == (code, f"startrack: {word}\n")


def test_results_are_written_before_a_late_signal_ends_the_process() -> None:
    done = ended("SIGTERM", BEFORE["the shutdown's wait for threads"], "--version")
    assert done.stdout.startswith("startrack ")


@pytest.mark.parametrize(("name", "code", "word"), ENDINGS)
@pytest.mark.parametrize("when", ["an exit function", "a destructor"])
def test_a_signal_after_the_last_line_changes_nothing(name: str, code: int, word: str, when: str) -> None:
    """Exit functions that were registered first run last; module objects are destroyed after all of them."""
    before = {
        "an exit function": "atexit.register(end)",
        "a destructor": "class Late:\n    def __del__(self, end=end):\n        end()\nsys.late = Late()",
    }[when]
    done = ended(name, before, "--version")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_exception_that_a_destructor_loses_comes_again() -> None:
    before = """
class Losing:
    def __del__(self):
        end()
        str()
import startrack.commands.shared.machine as machine
def diagnose(**_):
    Losing()
    time.sleep(60)
machine.diagnose = diagnose
"""
    done = ended("SIGTERM", before, "doctor")
    assert (done.returncode, done.stderr) == (143, "startrack: terminated\n")


def test_an_error_of_a_library_that_was_interrupted_is_the_signals() -> None:
    before = """
import startrack.commands.shared.machine as machine
def diagnose(**_):
    try:
        end()
        str()
    except KeyboardInterrupt:
        raise ImportError("half a library")
machine.diagnose = diagnose
"""
    done = ended("SIGTERM", before, "doctor")
    assert (done.returncode, done.stderr) == (143, "startrack: terminated\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("pack", "--help"), ("recipes",)], ids=" ".join)
@pytest.mark.parametrize("what", ["full", "closed", "without a reader"])
def test_an_output_that_cannot_be_written_is_one_line(words: tuple[str, ...], what: str) -> None:
    command = [sys.executable, "-m", "startrack", *words]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, os.fdopen(writer, "w") as unread:
        stdout = {"full": full, "without a reader": unread}.get(what)
        closed = ["bash", "-c", '"$@" >&-', "bash", *command] if what == "closed" else command
        done = subprocess.run(
            closed, stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT, text=True, timeout=120, check=False
        )
    if what == "closed":
        assert (done.returncode, done.stderr) == (0, "")
        return
    why = {"full": "No space left on device", "without a reader": "Broken pipe"}[what]
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("startrack: ")
    assert done.stderr.endswith(f": cannot be written: {why}\n")
