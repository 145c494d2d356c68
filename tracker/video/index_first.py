"""The index of a finished mp4 moved to its front, so that players and browsers begin before they have all of it.

ISO/IEC 14496-12: a file is a row of boxes; `moov` is the index, and its `stco` or `co64` tables say where in the file
each chunk of a track begins. Nothing else changes, so times and packets stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from startrack.whole_file import whole_file

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
"""Boxes on the way to the tables."""
LARGEST_INDEX = 256 << 20
"""Bytes; a larger one stays where it is."""
PIECE = 1 << 20
"""Bytes copied at a time."""


def move_index_first(path: Path) -> None:
    """Rewrite an mp4 whose index lies at its end; any other file stays as it is.

    Needs room for a second copy while it runs. Raises OSError, and then leaves the file as it was.
    """
    with path.open("rb") as file:
        boxes = list(_boxes(file, path.stat().st_size))
        names = [name for name, _, _ in boxes]
        if names.count(b"moov") != 1 or names[0] != b"ftyp" or names.index(b"moov") == 1:
            return
        _, start, size = boxes[names.index(b"moov")]
        if size > LARGEST_INDEX or start + size != path.stat().st_size:
            return
        file.seek(start)
        index = bytearray(file.read(size))
        if not _shift(index, 0, size, size):
            return
        with whole_file(path) as partial, partial.open("wb") as out:
            file.seek(0)
            out.write(file.read(boxes[0][2]))
            out.write(index)
            while piece := file.read(min(PIECE, start - file.tell())):
                out.write(piece)


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of each box of the file; ends where a size makes no sense."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or at + size > end:
            return
        yield head[4:8], at, size
        at += size


def _shift(index: bytearray, at: int, end: int, by: int) -> bool:
    """Add `by` to every chunk's place in the boxes of index[at:end]; False if a 32-bit place would overflow."""
    while at + 8 <= end:
        size, name = int.from_bytes(index[at : at + 4], "big"), bytes(index[at + 4 : at + 8])
        if size < 8 or at + size > end:
            return True
        if name in CONTAINERS:
            if not _shift(index, at + 8, at + size, by):
                return False
        elif name in (b"stco", b"co64"):
            count = int.from_bytes(index[at + 12 : at + 16], "big")
            kind = np.dtype(">u4" if name == b"stco" else ">u8")
            count = min(count, (size - 16) // kind.itemsize)
            places = np.frombuffer(index, kind, count, at + 16)
            if name == b"stco" and count and int(places.max()) + by > 0xFFFFFFFF:
                return False
            moved = (places.astype(np.uint64) + np.uint64(by)).astype(kind)
            index[at + 16 : at + 16 + moved.nbytes] = moved.tobytes()
        at += size
    return True
