"""Frames of videos as pictures of samples: decoded when they are asked for, one video open at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.base import SourceError
from startrack.train.sets.sample import DatasetError

if TYPE_CHECKING:
    from startrack.tracker.video.base import VideoStream


class VideoFrames:
    """Reads frames by number. Quick in ascending order of one video after the other; a step back decodes the video
    again from its beginning, so shuffled training wants the faces packed into pictures first. Not for several threads.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._process = 0
        self._stream: VideoStream | None = None
        self._last: Frame | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process opens the video itself."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    def read(self, path: Path, index: int) -> ImageArray:
        """(H, W, 3) uint8 RGB of a frame, counted from 0. Raises DatasetError if the video has no such frame."""
        # a forked process shares the decoder's file, not its state
        if path != self._path or self._process != os.getpid() or (self._last is not None and self._last.index > index):
            self._open(path)
        try:
            while self._last is None or self._last.index < index:
                assert self._stream is not None
                self._last = next(self._stream)
        except StopIteration:
            count = 0 if self._last is None else self._last.index + 1
            self.close()
            raise DatasetError(f"{path}: frame {index + 1} is annotated, the video has {count}") from None
        except SourceError as error:
            self.close()
            raise DatasetError(f"{path}: frame {index + 1} cannot be read: {error}") from error
        return self._last.image

    def _open(self, path: Path) -> None:
        from startrack.tracker.video.source import read_video

        self.close()
        try:
            self._stream = read_video(path)
        except SourceError as error:
            raise DatasetError(str(error)) from error
        self._path, self._process = path, os.getpid()

    def close(self) -> None:
        """Close the video that is open; reading on opens it again."""
        if self._stream is not None and self._process == os.getpid():
            self._stream.close()
        self._path = self._stream = self._last = None


@dataclass(frozen=True, slots=True, eq=False)
class VideoPicture:
    """One frame of a video."""

    frames: VideoFrames
    """Shared by the samples of a data set, so that their order decides how often a video is opened."""
    path: Path
    index: int
    """From 0."""

    def read(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises DatasetError."""
        return self.frames.read(self.path, self.index)
