"""A file of joined recordings (tracker/video/joined.py) → one video: each is decoded for itself, times go on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError, VideoInfo, VideoStream
from startrack.tracker.video.container import read_container
from startrack.tracker.video.cut_off import is_cut_off
from startrack.tracker.video.joined import FilePart
from startrack.tracker.video.opening import open_container
from startrack.tracker.video.part import Part, Sampler


def read_joined(
    path: Path,
    recordings: list[tuple[int, int]],
    part: Part,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """The wanted part of all recordings; each begins one frame after the one before it. Every frame from the first on
    is decoded, since no recording says when it begins.

    recordings: first byte and end of each. Length and number of frames are unknown, and sound is left out. Raises
    SourceError if the first recording cannot be read or there is no frame; iterating raises the first error of any
    recording after the frames of all.
    """
    files = _Recordings(path, recordings)
    try:
        frames = _wanted(files.frames(), part)
        first = next(frames, None)
        if first is None:
            raise SourceError(f"{path}: no frames{part.words}; expected at least one")
    except BaseException:
        files.close()
        raise
    info = files.info
    sound = ", without their sound" if info.has_audio else ""
    report(f"{path}: {len(recordings)} recordings joined in one file; they are read one after the other{sound}")
    info = replace(
        info,
        width=first.width,
        height=first.height,
        fps=part.rate(info.fps),
        frame_count=None,
        duration_s=None,
        has_audio=False,
    )
    return VideoStream(info, _resume(first, frames), files.close)


def _wanted(frames: Generator[Frame], part: Part) -> Generator[Frame]:
    index, sampler = 0, Sampler(part.sample_fps)
    for frame in frames:
        if part.end_s is not None and frame.time_s >= part.end_s:
            return
        if frame.time_s >= part.start_s and sampler.takes(frame.time_s):
            yield replace(frame, index=index)
            index += 1


def _resume(first: Frame, frames: Generator[Frame]) -> Generator[Frame]:
    yield first
    yield from frames


class _Recordings:
    """The recordings of a file, opened one after the other."""

    def __init__(self, path: Path, recordings: list[tuple[int, int]]) -> None:
        """Raises SourceError if the first one cannot be opened."""
        self._path, self._recordings = path, recordings
        self._file: FilePart | None = None
        self._video = self._open(0)

    @property
    def info(self) -> VideoInfo:
        return self._video.info

    def _open(self, number: int) -> VideoStream:
        start, end = self._recordings[number]
        try:
            self._file = FilePart(self._path, start, end)
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}") from error
        try:
            return read_container(open_container(str(self._path), self._file), str(self._path))
        except SourceError:
            self._file.close()
            raise

    def frames(self) -> Generator[Frame]:
        """Every frame with its time since the first one of all. Raises the first error after them."""
        failure: SourceError | None = None
        begins_s = 0.0
        for number in range(len(self._recordings)):
            last_s = 0.0
            try:
                if number:
                    self.close()
                    self._video = self._open(number)
                for frame in self._video:
                    last_s = frame.time_s
                    yield replace(frame, time_s=begins_s + last_s)
            except SourceError as error:
                failure = failure or error
            begins_s += last_s + 1 / (self._video.info.fps or 25)
        if failure is None:
            with suppress(OSError):
                if is_cut_off(self._path, self._recordings[-1][0]):
                    failure = SourceError(f"{self._path}: the file is cut off; all frames up to its end were read")
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the recording that is open. Safe to call twice."""
        self._video.close()
        if self._file is not None:
            self._file.close()
