"""Running the command line in a test, and reading what it leaves."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from typer.testing import CliRunner, Result

from startrack.commands import app as cli
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.types import ImageArray
from tests.tracker.disc_world import disc_frame

ROOT = Path(__file__).parents[2]
BOX = "60,35,50,50"
"""Of the disc in the first frame."""


def disc_picture(index: int, width: int, height: int) -> ImageArray:
    return disc_frame([(85 + index, 60, 25)], size=(width, height)).image


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def done(*words: object) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def message(result: Result, code: int) -> str:
    """The one line of a failure, after the summary of the frames before it."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.stderr
    *summary, line = result.stderr.splitlines()
    assert len(summary) == (0 if not summary else 1)
    assert all("fps" in one for one in summary)
    assert line.startswith("startrack: ")
    return line


def usage(result: Result) -> str:
    """The one line of a wrong usage."""
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("startrack: ")
    assert " See startrack" in line
    return line


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


shipped = pytest.mark.skipif(not zoo_path(DEFAULT_LANDMARKS).is_file(), reason="no shipped model in this tree")
