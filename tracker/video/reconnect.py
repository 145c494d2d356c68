"""A live source that comes back: a camera unplugged, a stream that breaks off or falls silent, opened again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError, VideoStream

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
"""Pauses between attempts double from the first to this."""


def reconnecting(
    open_source: Callable[[], VideoStream], *, patience_s: float, report: Callable[[str], None] = lambda _: None
) -> VideoStream:
    """The source that `open_source` opens; when it fails or ends, it is opened again until patience_s have passed
    without a frame.

    One stream to its reader: indices go on, with a gap of one where frames were missed; times go on by the clock. A
    recording is returned as it is. report: called at every loss and return. Raises SourceError if the first opening
    fails, and when patience is over the error that the source was lost with.
    """
    first = open_source()
    if not first.info.is_live or patience_s <= 0:
        return first
    line = _Line(first, open_source, patience_s, report)
    return VideoStream(first.info, line.frames(), line.close)


class _Line:
    """The connection now, and how to have the next."""

    def __init__(
        self,
        video: VideoStream,
        open_source: Callable[[], VideoStream],
        patience_s: float,
        report: Callable[[str], None],
    ) -> None:
        self._video = video
        self._open = open_source
        self._patience_s = patience_s
        self._report = report

    def frames(self) -> Generator[Frame]:
        began, index, time_s = time.monotonic(), 0, 0.0
        offset_s = 0.0
        while True:
            try:
                for frame in self._video:
                    time_s = max(offset_s + frame.time_s, time_s + 1e-6)
                    yield replace(frame, index=index, time_s=time_s)
                    index += 1
                failure = SourceError(f"{self._video.info.name}: the stream has ended")
            except SourceError as error:
                failure = error
            self._video.close()
            self._report(f"{failure}; trying to open it again for {self._patience_s:g} s")
            self._video = self._reopened(failure)
            self._report(f"{self._video.info.name}: is back")
            # one number is left out: the gap shows that frames are missing
            index, offset_s = index + 1, time.monotonic() - began

    def _reopened(self, failure: SourceError) -> VideoStream:
        """Raises `failure` when patience is over."""
        until, pause_s = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                return self._open()
            except SourceError:
                if time.monotonic() + pause_s > until:
                    raise failure from None
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def close(self) -> None:
        self._video.close()
