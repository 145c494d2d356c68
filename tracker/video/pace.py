"""A recording played like a camera: each frame at its own time."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable

from startrack.tracker.types import Frame
from startrack.tracker.video.base import VideoStream


def at_its_pace(video: VideoStream) -> VideoStream:
    """The same video, no frame earlier after the first than its own time says; closing it closes the one it was given.

    Read with `latest`, frames are dropped only where the reader is slower than the video.
    """
    return VideoStream(video.info, _paced(video), video.close)


def _paced(frames: Iterable[Frame]) -> Generator[Frame]:
    began: float | None = None
    for frame in frames:
        now = time.monotonic()
        if began is None:
            began = now - frame.time_s
        time.sleep(max(0.0, began + frame.time_s - now))
        yield frame
