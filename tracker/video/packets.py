"""A container's packets → decoded pictures: damaged ones are passed over and reported at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from startrack.tracker.video.base import LARGEST_PIXELS, SourceError, check_size
from startrack.tracker.video.cut_off import is_cut_off
from startrack.tracker.video.decoded import Shown, shown_of
from startrack.tracker.video.opening import open_container, reason, video_of
from startrack.tracker.video.pyav import InputContainer, av

Threads = Literal["AUTO", "SLICE"]


class Packets:
    """Decodes packet by packet; remembers the first that is damaged and goes on."""

    def __init__(
        self, container: InputContainer, stream: av.VideoStream, name: str, *, threads: Threads = "AUTO"
    ) -> None:
        """threads: FFmpeg's; AUTO holds back a frame per thread. Raises SourceError if its pictures are too large."""
        self._container, self._stream, self._name = container, stream, name
        self._threads = threads
        self._prepare()
        self._reopened: InputContainer | None = None
        self._damaged = 0
        self._first_damage = ""
        self.shown = Shown()

    def _prepare(self) -> None:
        codec = self._stream.codec_context
        check_size(self._name, codec.width, codec.height)
        codec.options = {"max_pixels": str(LARGEST_PIXELS)}  # a later picture may be larger than the header says
        self._stream.thread_type = self._threads

    def reopen(self) -> av.VideoStream:
        """Begin again at the first packet, in a container of its own that close frees; returns its video."""
        # seeking back is no substitute: what could not seek to a time may not find its beginning either
        self._reopened = self._container = open_container(self._name, self._container.name)
        self._stream = video_of(self._container, self._name)
        self._prepare()
        self._damaged = 0
        return self._stream

    def close(self) -> None:
        """Free the container of reopen. The first one belongs to whoever opened it."""
        if self._reopened is not None:
            self._reopened.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        is_first = True
        try:
            for packet in self._container.demux(self._stream):
                for picture in self._decode(packet):
                    if is_first:
                        self.shown, is_first = shown_of(picture), False
                    yield picture
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
