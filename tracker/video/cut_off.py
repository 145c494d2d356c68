"""Whether a recording ends before its own container says: FFmpeg takes that for a good end.

Matroska and WebM say how long their segment is (RFC 8794, RFC 9559), AVI how long its RIFF chunk is, and an MPEG
transport stream is a row of packets of 188 bytes (ISO/IEC 13818-1). An mp4's index is read by FFmpeg itself.
"""

from __future__ import annotations

from pathlib import Path

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
TS_PACKET, TS_SYNC = 188, 0x47
HEAD = 4096
"""Bytes in which a Matroska file's segment begins."""


def is_cut_off(path: Path, start: int = 0) -> bool:
    """False too where the container cannot say. start: byte at which the recording begins. Raises OSError."""
    size = path.stat().st_size - start
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(HEAD)
    if head.startswith(EBML):
        end = segment_end(head)
        return end is not None and end > size
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return int.from_bytes(head[4:8], "little") + 8 > size
    is_transport_stream = len(head) > 2 * TS_PACKET and head[0] == head[TS_PACKET] == head[2 * TS_PACKET] == TS_SYNC
    return is_transport_stream and size % TS_PACKET != 0


def segment_end(head: bytes) -> int | None:
    """Byte at which the segment of a Matroska file ends; None for a live recording, which does not say."""
    start = head.find(SEGMENT)
    if start < 0 or start + 5 > len(head):
        return None
    first = head[start + 4]
    length = 9 - first.bit_length() if first else 9
    field = head[start + 4 : start + 4 + length]
    if length > 8 or len(field) < length:
        return None
    value = int.from_bytes(field, "big") & ((1 << (7 * length)) - 1)
    return None if value == (1 << (7 * length)) - 1 else start + 4 + length + value
