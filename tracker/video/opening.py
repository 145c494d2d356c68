"""A path, URL or device → an open container of PyAV and its video, errors in plain words."""

from __future__ import annotations

from fractions import Fraction
from io import IOBase

from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError
from startrack.tracker.video.pyav import Disposition, InputContainer, av

READ_TIMEOUT_S = 10.0
"""How long a stream may stay silent."""


def open_container(
    name: str, url: str | IOBase, *, input_format: str | None = None, options: dict[str, str] | None = None
) -> InputContainer:
    """Open `url`, or a file that can be read and searched, called `name` in messages. Raises SourceError with PyAV's
    reason."""
    timeout = (READ_TIMEOUT_S, READ_TIMEOUT_S)
    try:
        return av.open(url, mode="r", format=input_format, options=options, timeout=timeout, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise SourceError(f"{name}: not a video, or one cut off before its index; expected any video file") from error
    except av.error.EOFError as error:
        raise SourceError(f"{name}: no frames; expected at least one") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{name}: cannot be opened: {reason(error)}") from error


def reason(error: Exception) -> str:
    """PyAV's own words, without the number and the path."""
    if isinstance(error, av.error.ExitError):
        return f"no data for {READ_TIMEOUT_S:g} s"
    return getattr(error, "strerror", None) or str(error)


def video_of(container: InputContainer, name: str) -> av.VideoStream:
    """The container's first video. Raises SourceError if there is none: sound, a cover picture, or text."""
    # FFmpeg shows any text file as a video of a terminal
    if container.format.name == "tty":
        raise SourceError(f"{name}: a text file; expected a video")
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    found = "only sound" if container.streams.audio else "no video that can be decoded"
    raise SourceError(f"{name}: {found} in it; expected a video")


def start_of(stream: av.VideoStream) -> Fraction:
    """Where the video begins on the container's clock, in seconds: time_s 0."""
    return (stream.start_time or 0) * time_base_of(stream)


def time_base_of(stream: av.VideoStream) -> Fraction:
    """Seconds per unit of its timestamps."""
    return stream.time_base or LIVE_TIME_BASE
