"""The contract of every source: what is known of it when it opens, and its frames. Knows nothing of PyAV."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np

from startrack.closing import Closing
from startrack.errors import StartrackError
from startrack.tracker.types import Frame

LIVE_TIME_BASE = Fraction(1, 90_000)
"""Time base stated for sources whose frames are timed by their arrival, and for pictures."""


class SourceError(StartrackError):
    """A source cannot be opened or read; the message names it, and says what was expected."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a source before its first frame is consumed."""

    name: str
    """The path, URL or device as it was given."""
    width: int
    """Pixels of the first frame, any rotation of the container already applied."""
    height: int
    fps: float | None
    """Average frames per second; None if the container does not say."""
    frame_count: int | None
    """Estimate for the whole source, whatever part of it is read; None if unknown or live."""
    duration_s: float | None
    """Length of the whole source; None if unknown or live."""
    time_base: Fraction
    """Seconds per unit of the container's timestamps: the grid that Frame.time_s lies on."""
    is_live: bool
    """Frames come at their own pace and are timed by their arrival: read it with `latest`, not `prefetch`."""
    has_audio: bool


class VideoStream(Closing):
    """An open source: `info` at once, then its frames, once, in order. Whoever opens it closes it.

    Iterating raises SourceError where the source fails, after every frame that could be read.
    """

    def __init__(self, info: VideoInfo, frames: Generator[Frame], release: Callable[[], None] = lambda: None) -> None:
        """release: frees what the frames are read from; called once, by close, even if no frame was consumed."""
        self.info = info
        self._frames = frames
        self._release = release
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._frames)

    def close(self) -> None:
        """Free the file or device. Safe to call twice; does nothing while another thread reads (which closes it)."""
        with contextlib.suppress(ValueError):  # "generator already executing"
            self._frames.close()
            if not self._closed:
                self._closed = True
                self._release()


def mirror(video: VideoStream) -> VideoStream:
    """The same video with left and right exchanged; closing it closes the one it was given."""
    return VideoStream(video.info, (_flip(frame) for frame in video), video.close)


def _flip(frame: Frame) -> Frame:
    return replace(frame, image=np.asarray(cv2.flip(frame.image, 1), np.uint8))
