"""PyAV container → frames with their own timestamps: upright RGB pictures, damaged packets survived and reported."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain

from startrack.tracker.types import Frame
from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError, VideoInfo, VideoStream
from startrack.tracker.video.decoded import Shown, pixel_shape, to_image
from startrack.tracker.video.opening import start_of, time_base_of, video_of
from startrack.tracker.video.packets import Packets
from startrack.tracker.video.part import Part, Sampler
from startrack.tracker.video.pyav import InputContainer, av
from startrack.tracker.video.silence import SilenceWatch
from startrack.tracker.video.timeline import Timeline

WHOLE = Part()


def read_container(container: InputContainer, name: str, part: Part = WHOLE) -> VideoStream:
    """The frames of an open recording; takes the container over, and closes it on failure.

    The first frame is decoded at once. Raises SourceError if there is none, or if pictures are too large.
    """
    try:
        stream = video_of(container, name)
        packets = Packets(container, stream, name)
        frames = _recorded(container, stream, packets, part)
        first = next(frames, None)
        if first is None:
            raise SourceError(f"{name}: no frames{part.words}; expected at least one")
        info = _info(container, stream, name, first, packets.shown, part)
    except BaseException:
        container.close()
        raise
    return VideoStream(info, _resume(first, frames), container.close)


def read_live(container: InputContainer, name: str, watch: SilenceWatch, part: Part = WHOLE) -> VideoStream:
    """The frames of an open live source, timed by their arrival; damaged packets are passed over.

    Takes the container and the watch over, and closes both on failure. Raises SourceError if no frame comes.
    """

    def release() -> None:
        watch.close()
        container.close()

    try:
        stream = video_of(container, name)
        packets = Packets(container, stream, name, threads="SLICE")  # 2 packets of lag in place of 4, measured
        frames = _live(packets, watch, part)
        first = next(frames, None)
        if first is None:
            raise SourceError(f"{name}: no frames; expected at least one")
        info = _info(container, stream, name, first, packets.shown, part, live=True)
    except BaseException:
        release()
        raise
    return VideoStream(info, _resume(first, frames), release)


def _resume(first: Frame, frames: Iterator[Frame]) -> Generator[Frame]:
    yield first
    yield from frames


def _duration(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    if stream.duration:
        return stream.duration * time_base_of(stream)
    return Fraction(container.duration, av.time_base) if container.duration else None


def _info(
    container: InputContainer,
    stream: av.VideoStream,
    name: str,
    first: Frame,
    shown: Shown,
    part: Part,
    *,
    live: bool = False,
) -> VideoInfo:
    rate = stream.average_rate or stream.guessed_rate
    fps = part.rate(float(rate) if rate else None)
    duration = None if live else _duration(container, stream)
    count = None if live or part.sample_fps else stream.frames or None
    if count is None and duration and fps:
        count = round(float(duration) * fps)
    return VideoInfo(
        name=name,
        width=first.width,
        height=first.height,
        fps=fps,
        frame_count=count,
        duration_s=None if duration is None else float(duration),
        time_base=LIVE_TIME_BASE if live else time_base_of(stream),
        is_live=live,
        has_audio=bool(container.streams.audio),
        start_time_s=None if live else float(start_of(stream)),
        sample_aspect_ratio=pixel_shape(stream, shown.turn),
        colours=shown.colours,
    )


def _recorded(container: InputContainer, stream: av.VideoStream, packets: Packets, part: Part) -> Generator[Frame]:
    index, reached_s = 0, None
    sampler = Sampler(part.sample_fps)
    try:
        for time_s, picture in _from_start(container, stream, packets, part.start_s):
            if part.end_s is not None and time_s >= part.end_s:
                break
            reached_s = time_s
            if sampler.takes(time_s):
                yield Frame(to_image(picture), index, time_s)
                index += 1
        else:
            packets.raise_if_cut_off(reached_s)
        packets.raise_if_damaged(reached_s)
    finally:
        packets.close()


def _from_start(
    container: InputContainer, stream: av.VideoStream, packets: Packets, start_s: float
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Time and picture of every frame at or after start_s."""
    if start_s <= 0:
        return _timed(stream, iter(packets))
    duration = _duration(container, stream)
    if duration is not None and start_s > duration + 1:  # a second, for containers that say too little
        return iter(())
    pictures = iter(packets) if _seek(container, stream, start_s) else iter(())
    first = next(pictures, None)
    origin = (stream.start_time or 0) * time_base_of(stream)
    # some containers seek past the target, and pictures without a timestamp do not say where they are
    if first is None or first.pts is None or first.pts * time_base_of(stream) - origin > start_s:
        stream = packets.reopen()
        timed = _timed(stream, iter(packets))
    else:
        timed = _timed(stream, chain([first], pictures))
    return (pair for pair in timed if pair[0] >= start_s)


def _timed(stream: av.VideoStream, pictures: Iterator[av.VideoFrame]) -> Iterator[tuple[float, av.VideoFrame]]:
    timeline = Timeline(stream.start_time or 0, time_base_of(stream), stream.average_rate)
    for picture in pictures:
        yield timeline.time_s(picture.pts), picture


def _seek(container: InputContainer, stream: av.VideoStream, time_s: float) -> bool:
    target = (stream.start_time or 0) + int(Fraction(time_s) / time_base_of(stream))
    try:
        container.seek(target, stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def _live(packets: Packets, watch: SilenceWatch, part: Part) -> Generator[Frame]:
    began: float | None = None
    time_s, index = 0.0, 0
    sampler, pictures = Sampler(part.sample_fps), iter(packets)
    while True:
        watch.wait()
        picture = next(pictures, None)
        watch.came()
        if picture is None:
            return
        now = time.monotonic()
        if began is None:
            began = now
        else:
            time_s = max(now - began, time_s + 1e-6)  # a coarse clock may give one time twice
        if part.end_s is not None and time_s >= part.end_s:
            return
        if sampler.takes(time_s):
            yield Frame(to_image(picture), index, time_s, now)
            index += 1
