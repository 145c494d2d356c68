"""A display of its own for a test that opens a window, and keys pressed on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

LONGEST_S = 300.0
"""Of a run on a machine that is busy with other things."""

on_x11 = pytest.mark.skipif(
    not (sys.platform.startswith("linux") and shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="no Xvfb or no xdotool (apt install xvfb xdotool)",
)


@contextmanager
def open_display() -> Iterator[str]:
    """A display of its own: its name, :N."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def press(key: str, title: str, environment: dict[str, str]) -> None:
    """Press a key over the window of this title, if it is there yet."""
    with suppress(subprocess.TimeoutExpired):
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", title], env=environment, capture_output=True, text=True,
            timeout=10, check=False,
        ).stdout.split()  # fmt: skip
        for number in found[:1]:
            command = ["xdotool", "mousemove", "--window", number, "20", "20", "key", key]
            subprocess.run(command, env=environment, capture_output=True, timeout=10, check=False)


def frames_until_q(command: list[str], title: str, folder: Path) -> int:
    """Run a track with its window on a display and press q until it ends, with exit code 0: how many frames it did."""
    summary = folder / "summary.json"
    with open_display() as display:
        environment = os.environ | {"DISPLAY": display}
        with subprocess.Popen(
            [*command, "--summary", str(summary)], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
        ) as tracking:
            try:
                until = time.monotonic() + LONGEST_S
                while tracking.poll() is None and time.monotonic() < until:
                    press("q", title, environment)
                    time.sleep(0.2)
            finally:
                tracking.kill()
            assert tracking.stderr is not None
            assert tracking.wait() == 0, tracking.stderr.read()
    return int(json.loads(summary.read_text())["frames"])
