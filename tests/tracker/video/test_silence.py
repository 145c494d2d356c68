"""A live source that gives nothing is named while it is waited for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from startrack.tracker.video import opening
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.silence import SilenceWatch
from startrack.tracker.video.source import open_stream


def wait_for(lines: list[str], count: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while len(lines) < count:
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.01)


def test_each_word_waits_twice_as_long() -> None:
    lines: list[str] = []
    with SilenceWatch("camera 0", lines.append, after_s=0.2) as watch:
        wait_for(lines, 2)
        watch.came()
        # a busy machine may have let a third one pass
        said = len(lines)
        time.sleep(0.3)
        assert len(lines) == said
        watch.wait()
        wait_for(lines, said + 1)
        waits = [f"{0.2 * 2**number:g}" for number in range(said + 1)]
        assert lines[: said + 1] == [f"camera 0: nothing has come for {wait} s; waiting for it" for wait in waits]
    end = time.monotonic() + 5
    while any(thread.name == "startrack-silence" for thread in threading.enumerate()):
        assert time.monotonic() < end, "closing it ends its thread"
        time.sleep(0.01)


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_silent_stream_is_named_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "READ_TIMEOUT_S", 4.0)
    lines: list[str] = []
    with silent_server() as url, pytest.raises(SourceError, match="no data for"):
        open_stream(url, report=lines.append)
    assert lines[0] == f"{url}: nothing has come for 2 s; waiting for it"
