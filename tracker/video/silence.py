"""A word about a live source that gives nothing: before it is given up, its user should know why nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from startrack.closing import Closing

SILENCE_S = 2.0
LOOK_S = 0.1


class SilenceWatch(Closing):
    """Reports, from a thread of its own, when a source has been waited for as long as SILENCE_S; the next time twice as
    long, so that a camera that gives a picture every few seconds is not reported for ever."""

    def __init__(self, name: str, report: Callable[[str], None], *, after_s: float = SILENCE_S) -> None:
        """name: of the source. Waiting begins at once."""
        self._name, self._report, self._after_s = name, report, after_s
        self._since: float | None = time.monotonic()
        self._closed = threading.Event()
        threading.Thread(target=self._look, name="startrack-silence", daemon=True).start()

    def wait(self) -> None:
        """The source is asked for its next picture."""
        self._since = time.monotonic()

    def came(self) -> None:
        """It gave one."""
        self._since = None

    def _look(self) -> None:
        while not self._closed.wait(LOOK_S):
            since = self._since
            if since is not None and time.monotonic() - since >= self._after_s:
                self._report(f"{self._name}: nothing has come for {self._after_s:g} s; waiting for it")
                self._after_s *= 2

    def close(self) -> None:
        self._closed.set()
