"""PyAV container → frames with their own timestamps: upright RGB pictures, damaged packets survived and reported."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError, VideoInfo, VideoStream
from startrack.tracker.video.cut_off import is_cut_off
from startrack.tracker.video.pyav import Disposition, InputContainer, av
from startrack.tracker.video.timeline import Timeline

READ_TIMEOUT_S = 10.0
"""How long a stream may stay silent."""


def open_container(
    name: str, url: str, *, input_format: str | None = None, options: dict[str, str] | None = None
) -> InputContainer:
    """Open `url`, called `name` in messages. Raises SourceError with PyAV's reason."""
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
    return (stream.start_time or 0) * _time_base(stream)


def read_container(
    container: InputContainer, name: str, *, live: bool = False, start_s: float = 0.0, end_s: float | None = None
) -> VideoStream:
    """The frames of an open container; takes it over, and closes it on failure.

    live: frames are timed by their arrival and damaged packets are passed over. start_s, end_s: half-open range of
    time_s. The first frame is decoded at once. Raises SourceError if there is none.
    """
    try:
        stream = video_of(container, name)
        # AUTO holds back a frame per thread: good for files, lag for a camera (4 packets against 2, measured)
        stream.thread_type = "SLICE" if live else "AUTO"
        frames = _live(container, stream, name, end_s) if live else _recorded(container, stream, name, start_s, end_s)
        first = next(frames, None)
        if first is None:
            part = f" from {start_s:g} s to {'its end' if end_s is None else f'{end_s:g} s'}"
            raise SourceError(f"{name}: no frames{part if start_s or end_s is not None else ''}; expected at least one")
        info = _info(container, stream, name, first, live)
    except BaseException:
        container.close()
        raise
    return VideoStream(info, _resume(first, frames), container.close)


def _resume(first: Frame, frames: Iterator[Frame]) -> Generator[Frame]:
    yield first
    yield from frames


def _time_base(stream: av.VideoStream) -> Fraction:
    return stream.time_base or LIVE_TIME_BASE


def _duration(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    if stream.duration:
        return stream.duration * _time_base(stream)
    return Fraction(container.duration, av.time_base) if container.duration else None


def _info(container: InputContainer, stream: av.VideoStream, name: str, first: Frame, live: bool) -> VideoInfo:
    rate = stream.average_rate or stream.guessed_rate
    duration = None if live else _duration(container, stream)
    estimate = round(duration * rate) if duration and rate else None
    return VideoInfo(
        name=name,
        width=first.width,
        height=first.height,
        fps=float(rate) if rate else None,
        frame_count=None if live else (stream.frames or estimate),
        duration_s=None if duration is None else float(duration),
        time_base=LIVE_TIME_BASE if live else _time_base(stream),
        is_live=live,
        has_audio=bool(container.streams.audio),
    )


def to_image(frame: av.VideoFrame) -> ImageArray:
    """(H, W, 3) RGB, C-contiguous, turned upright."""
    # one thread: swscale's own pool took 0.7 to 2.8 ms for 720p on 2 cores, one thread 0.4 ms
    image = np.asarray(frame.to_ndarray(format="rgb24", threads=1), np.uint8)
    return np.ascontiguousarray(np.rot90(image, frame.rotation // 90 % 4))


class _Packets:
    """Decodes packet by packet; remembers the first that is damaged and goes on."""

    def __init__(self, container: InputContainer, stream: av.VideoStream, name: str) -> None:
        self._container, self._stream, self._name = container, stream, name
        self._reopened: InputContainer | None = None
        self._damaged = 0
        self._first_damage = ""

    def reopen(self) -> av.VideoStream:
        """Begin again at the first packet, in a container of its own that close frees; returns its video."""
        # seeking back is no substitute: what could not seek to a time may not find its beginning either
        self._reopened = self._container = open_container(self._name, self._container.name)
        self._stream = video_of(self._container, self._name)
        self._stream.thread_type = "AUTO"
        self._damaged = 0
        return self._stream

    def close(self) -> None:
        """Free the container of reopen. The first one belongs to whoever opened it."""
        if self._reopened is not None:
            self._reopened.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                yield from self._decode(packet)
        except av.FFmpegError as error:
            raise SourceError(f"{self._name}: cannot be read on: {reason(error)}") from error

    def _decode(self, packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except av.FFmpegError as error:
            self._damaged += 1
            self._first_damage = self._first_damage or reason(error)
            return []

    def raise_if_damaged(self, reached_s: float | None) -> None:
        """Raise SourceError if a packet could not be decoded; reached_s is the time of the last frame that could."""
        if self._damaged:
            count = f"{self._damaged} damaged packet{'s' if self._damaged > 1 else ''}"
            raise SourceError(f"{self._name}: {count} ({self._first_damage}); {_reached(reached_s)}")

    def raise_if_cut_off(self, reached_s: float | None) -> None:
        """Raise SourceError if the file ends before it says: FFmpeg takes that for a good end."""
        path = Path(self._container.name.removeprefix("file:"))
        with suppress(OSError):
            if "://" not in self._container.name and path.is_file() and is_cut_off(path):
                raise SourceError(f"{self._name}: the file is cut off; {_reached(reached_s)}")
        index = self._stream.index_entries
        if "mp4" in self._container.format.name and self._container.size > 0 and len(index):
            last = index[len(index) - 1]
            if last.pos + last.size > self._container.size:
                raise SourceError(f"{self._name}: the file is cut off; {_reached(reached_s)}")


def _reached(reached_s: float | None) -> str:
    return "no frame could be decoded" if reached_s is None else f"frames up to {reached_s:.3f} s were read"


def _recorded(
    container: InputContainer, stream: av.VideoStream, name: str, start_s: float, end_s: float | None
) -> Generator[Frame]:
    packets = _Packets(container, stream, name)
    index, reached_s = 0, None
    try:
        for time_s, picture in _from_start(container, stream, packets, start_s):
            if end_s is not None and time_s >= end_s:
                break
            yield Frame(to_image(picture), index, time_s)
            index, reached_s = index + 1, time_s
        else:
            packets.raise_if_cut_off(reached_s)
        packets.raise_if_damaged(reached_s)
    finally:
        packets.close()


def _from_start(
    container: InputContainer, stream: av.VideoStream, packets: _Packets, start_s: float
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Time and picture of every frame at or after start_s."""
    if start_s <= 0:
        return _timed(stream, iter(packets))
    duration = _duration(container, stream)
    if duration is not None and start_s > duration + 1:  # a second, for containers that say too little
        return iter(())
    pictures = iter(packets) if _seek(container, stream, start_s) else iter(())
    first = next(pictures, None)
    origin = (stream.start_time or 0) * _time_base(stream)
    # some containers seek past the target, and pictures without a timestamp do not say where they are
    if first is None or first.pts is None or first.pts * _time_base(stream) - origin > start_s:
        stream = packets.reopen()
        timed = _timed(stream, iter(packets))
    else:
        timed = _timed(stream, chain([first], pictures))
    return (pair for pair in timed if pair[0] >= start_s)


def _timed(stream: av.VideoStream, pictures: Iterator[av.VideoFrame]) -> Iterator[tuple[float, av.VideoFrame]]:
    timeline = Timeline(stream.start_time or 0, _time_base(stream), stream.average_rate)
    for picture in pictures:
        yield timeline.time_s(picture.pts), picture


def _seek(container: InputContainer, stream: av.VideoStream, time_s: float) -> bool:
    target = (stream.start_time or 0) + int(Fraction(time_s) / _time_base(stream))
    try:
        container.seek(target, stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def _live(container: InputContainer, stream: av.VideoStream, name: str, end_s: float | None) -> Generator[Frame]:
    began, time_s = 0.0, 0.0
    for index, picture in enumerate(_Packets(container, stream, name)):
        now = time.monotonic()
        if index == 0:
            began = now
        else:
            time_s = max(now - began, time_s + 1e-6)  # a coarse clock may stand still
        if end_s is not None and time_s >= end_s:
            return
        yield Frame(to_image(picture), index, time_s, now)
