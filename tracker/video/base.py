"""The contract of every source: its facts when it opens, and its frames. Knows nothing of PyAV."""

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


LARGEST_PIXELS = 64_000_000
"""Of a picture; 8K video has 33 million. What says in its header that it has more is not decoded."""


class SourceError(StartrackError):
    """A source cannot be opened or read; the message names it, and the expected value."""


def check_size(name: str, width: int, height: int) -> None:
    """Raise SourceError if pictures of this size, in pixels, are too large to be decoded."""
    if width * height > LARGEST_PIXELS:
        raise SourceError(
            f"{name}: {width} × {height} pixels; expected at most {LARGEST_PIXELS // 10**6} million in a picture"
        )


@dataclass(frozen=True, slots=True)
class Colours:
    """A video's own note of its colours: code points of ISO/IEC 23091-2 (H.273), 2 where it does not say.

    Frames are RGB with the source's own primaries and transfer; only matrix and range are undone.
    """

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool | None = None
    """Values of 0 to 255 in place of 16 to 235; None if the video does not say."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of a source before its first frame is consumed."""

    name: str
    """The path, URL or device as it was given."""
    width: int
    """Pixels of the first frame, turned and mirrored as the container says."""
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
    start_time_s: float | None = None
    """Time of time_s 0 on the container's own clock, FFmpeg's start_time; None of live sources and pictures."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width by height of a pixel as it is shown. Frames, and all coordinates, are in stored pixels."""
    colours: Colours = Colours()
    stills: bool = False
    """The frames are pictures that have nothing to do with each other: no face is followed from one to the next."""


class VideoStream(Closing):
    """An open source: `info` at once, then its frames, once, in order. Whoever opens it closes it.

    Iterating raises SourceError where the source fails, after every frame that could be read.
    """

    def __init__(self, info: VideoInfo, frames: Generator[Frame], release: Callable[[], None] = lambda: None) -> None:
        """release: frees the origin of the frames; called once, by close, even if no frame was consumed."""
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
