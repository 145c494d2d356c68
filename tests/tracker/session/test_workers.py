"""Workers and the processes that serve them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HUNG_UP = """
import os, signal, time
from multiprocessing import resource_tracker, get_context
from startrack.tracker.session.workers import start_resource_tracker

if __name__ == "__main__":
    start_resource_tracker()
    lock = get_context("spawn").Lock()
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGHUP)
    time.sleep(0.3)
    assert resource_tracker._resource_tracker._check_alive()
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    del lock
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
def test_a_hung_up_terminal_does_not_take_the_tracker_of_semaphores() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNG_UP], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
