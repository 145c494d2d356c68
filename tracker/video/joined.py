"""Recordings that were joined byte by byte (cat a.mkv b.mkv): where in the file each of them begins.

FFmpeg reads on past such a place with the first recording's codec, or stops there without a word. A further recording
begins at a second `ftyp` box (ISO/IEC 14496-12), at an EBML header behind a segment (RFC 8794), at a RIFF chunk of form
`AVI `, at an FLV header, and in a transport stream where the programme map names another video codec (ISO/IEC 13818-1).
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from startrack.tracker.video.cut_off import EBML, HEAD, TS_PACKET, TS_SYNC, segment_end

FLV = re.compile(rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09\x00\x00\x00\x00")
FLV_HEADER = 13
"""Bytes."""
LOOK = 2000 * TS_PACKET
"""Bytes of a transport stream in which its programme map comes up at least once; it is repeated every 0.1 s."""
MOST = 1000
"""Recordings in a file."""
MOST_BOXES = 1_000_000
"""Boxes or chunks that are looked at; ten hours of fragments have less."""
BLOCK = 1 << 24
"""Bytes that are searched at a time."""
LARGEST_INDEX = 1 << 20
"""Bytes by which the indices of two MP4 recordings are compared."""
VIDEO_TYPES = frozenset({0x01, 0x02, 0x10, 0x1B, 0x20, 0x21, 0x24, 0x33, 0x42, 0xD1, 0xD2, 0xD4, 0xEA})
"""Stream types of a programme map that are video: MPEG-1 and 2, MPEG-4, H.264, HEVC, VVC, AVS, Dirac, VC-1 …"""


def parts_of(path: Path) -> list[tuple[int, int]]:
    """First byte and end of each recording in a file; one of the whole file where none is joined. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        starts = [0]
        for start in _kind(head)(file, size):
            starts.append(start)
            if len(starts) == MOST:
                break
    return list(zip(starts, [*starts[1:], size], strict=True))


def _kind(head: bytes) -> Callable[[BinaryIO, int], Iterator[int]]:
    if head[4:8] == b"ftyp":
        return _second_ftyp
    if head.startswith(EBML):
        return _behind_segments
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _riff_chunks
    if FLV.match(head):
        return _flv_headers
    if len(head) > 2 * TS_PACKET and head[0] == head[TS_PACKET] == head[2 * TS_PACKET] == TS_SYNC:
        return _other_codecs
    return lambda file, size: iter(())


def _second_ftyp(file: BinaryIO, size: int) -> Iterator[int]:
    """Not where a stream of fragments repeats its index, which is how players may begin in the middle of it."""
    at, part, began, index, has_fragments = 0, 0, 0, b"", False
    for _ in range(MOST_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if name == b"ftyp":
            began = at
        elif name == b"moov":
            file.seek(at)
            found = file.read(min(length, LARGEST_INDEX))
            if began > part and index and not (has_fragments and found == index):
                yield began
                part = began
            index, has_fragments = found, False
        has_fragments |= name == b"moof"
        if length < 8:
            return
        at += length


def _behind_segments(file: BinaryIO, size: int) -> Iterator[int]:
    at = 0
    while True:
        file.seek(at)
        end = segment_end(file.read(HEAD))
        if end is None or end <= 0 or at + end >= size:
            return
        at += end
        file.seek(at)
        if file.read(4) != EBML:
            return
        yield at


def _riff_chunks(file: BinaryIO, size: int) -> Iterator[int]:
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF":
            return
        if at and head[8:12] == b"AVI ":  # AVIX: a large file's next piece
            yield at
        length = int.from_bytes(head[4:8], "little")
        at += 8 + length + length % 2


def _flv_headers(file: BinaryIO, size: int) -> Iterator[int]:
    begins, rest = 0, b""
    file.seek(0)
    while block := file.read(BLOCK):
        for match in FLV.finditer(rest + block):
            at = begins - len(rest) + match.start()
            if at:
                yield at
        begins += len(block)
        # a header may lie across two blocks, but none within what is left over
        rest = (rest + block)[-FLV_HEADER + 1 :]


def _other_codecs(file: BinaryIO, size: int) -> Iterator[int]:
    """Found by halving, so a file that ends with the codec it begins with counts as one recording."""
    low, last = 0, None
    for programme in _programmes(file, max(0, size - LOOK) // TS_PACKET * TS_PACKET, size):
        last = programme
    while True:
        first = _programme(file, low, size)
        if first is None or last is None or first[1] == last[1]:
            return
        below, above = low, size
        while above - below > LOOK:
            middle = (below + above) // 2 // TS_PACKET * TS_PACKET
            found = _programme(file, middle, size)
            if found is not None and found[1] == first[1]:
                below = middle
            else:
                above = middle
        low = next((at for at, streams in _programmes(file, below, size) if streams != first[1]), size)
        if low >= size:
            return
        yield low


def _programme(file: BinaryIO, start: int, size: int) -> tuple[int, bytes] | None:
    """The first programme map from here: its byte, and its video streams."""
    return next(_programmes(file, start, min(size, start + LOOK)), None)


def _programmes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Byte and video streams (types and PIDs) of the first programme's maps; the byte is that of the programme list
    before a map."""
    programme: int | None = None
    listed = start
    file.seek(start)
    for at in range(start, end - TS_PACKET + 1, TS_PACKET):
        packet = file.read(TS_PACKET)
        if len(packet) < TS_PACKET or packet[0] != TS_SYNC:
            return
        if not packet[1] & 0x40:  # no section begins here
            continue
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid not in (0, programme):
            continue
        section = packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]
        section = section[1 + section[0] :] if section else b""
        if len(section) < 12:
            continue
        length = ((section[1] & 0x0F) << 8 | section[2]) + 3
        if pid == 0 and section[0] == 0:
            entries = section[8 : length - 4]
            places = [n for n in range(0, len(entries) - 3, 4) if entries[n : n + 2] != b"\0\0"]
            programme = (entries[places[0] + 2] & 0x1F) << 8 | entries[places[0] + 3] if places else None
            listed = at
        elif pid and section[0] == 2:
            yield listed, _streams(section[:length])


def _streams(section: bytes) -> bytes:
    """Type and PID of every video stream of a programme map."""
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    found = b""
    while at + 5 <= len(section) - 4:
        found += section[at : at + 3] if section[at] in VIDEO_TYPES else b""
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    return found


class FilePart(io.RawIOBase):
    """One recording of a file as a file of its own."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        """Raises OSError."""
        self.name = str(path)
        self._file = path.open("rb")
        self._start, self._end = start, end
        self._file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = max(0, self._end - self._file.tell())
        piece = self._file.read(min(len(buffer), left))
        buffer[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}[whence]
        return self._file.seek(max(self._start, base + offset)) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def close(self) -> None:
        self._file.close()
        super().close()
