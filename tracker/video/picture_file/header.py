"""Sizes, pages and frames of a picture file, read from its header: before anything is decoded or allocated."""

# each reader: the file's bytes → sizes of its pages, (width, height) in pixels; IndexError, ValueError or struct.error
# where the header is damaged

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

MOST_PAGES = 10_000
MOST_BEYOND = 1 << 24
"""Bytes that a chunk may be longer than what is left of a file: decoders make room for it before they look."""
MOST_STEPS = 100_000
"""Chunks, segments and entries of directories that are looked at: a file of them alone would keep a reader busy."""


class PictureHeader(NamedTuple):
    """Facts of a file's header."""

    sizes: tuple[tuple[int, int], ...]
    """(width, height) in pixels of each page."""
    pages: tuple[int, ...] = (0,)
    """Numbers of the pages that are pictures of their own: no thumbnails, no masks."""
    is_animated: bool = False
    """Its frames have times."""


def read_header(data: bytes | memoryview) -> PictureHeader | None:
    """None where no picture begins, or its header is damaged. data: the whole file."""
    head = bytes(data[:32])
    reader = next((reader for begins, reader in READERS if begins.match(head)), None)
    try:
        return None if reader is None else reader(memoryview(data))
    except (IndexError, ValueError, struct.error):
        return None


def _png(data: memoryview) -> PictureHeader:
    size = struct.unpack_from(">II", data, 16)
    at = 8
    is_animated, has_begun = False, False
    for _ in range(MOST_STEPS):
        length, name = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        # of the last chunk too
        if at + length > len(data) + MOST_BEYOND:
            raise ValueError("a chunk beyond the end")
        if name in (b"IEND", b""):
            return PictureHeader((size,), is_animated=is_animated)
        has_begun |= name == b"IDAT"
        is_animated |= name == b"acTL" and not has_begun
        at += 12 + length
    raise ValueError("no end among its chunks")


def _jpeg(data: memoryview) -> PictureHeader:
    at = 2
    for _ in range(MOST_STEPS):
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return PictureHeader(((width, height),))
        # markers without a length
        at += 2 if marker in (0x01, *range(0xD0, 0xD9)) else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ValueError("no picture among its segments")


def _gif(data: memoryview) -> PictureHeader:
    return PictureHeader((struct.unpack_from("<HH", data, 6),))


def _bmp(data: memoryview) -> PictureHeader:
    (length,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", data, 18)
    return PictureHeader(((abs(width), abs(height)),))


def _webp(data: memoryview) -> PictureHeader:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        size = (1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
        return PictureHeader((size,), is_animated=bool(data[20] & 0x02))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return PictureHeader((((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1),))
    width, height = struct.unpack_from("<HH", data, 26)
    return PictureHeader(((width & 0x3FFF, height & 0x3FFF),))


def _pnm(data: memoryview) -> PictureHeader:
    text = re.sub(rb"#[^\n]*\n", b" ", bytes(data[:4096]))
    _, width, height = text.split()[:3]
    return PictureHeader(((int(width), int(height)),))


def _tiff(data: memoryview) -> PictureHeader:
    order = "<" if data[0] == ord("I") else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    big = version == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    sizes, pages, seen, left = list[tuple[int, int]](), list[int](), set[int](), MOST_STEPS
    while at and at not in seen and len(sizes) < MOST_PAGES:
        seen.add(at)
        count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
        left -= count
        if left < 0:
            raise ValueError("directories without end")
        tags, at = _tiff_directory(data, at, order, big)
        if not tags.get(254, 0) & 0b101:  # NewSubfileType: a smaller copy, a mask
            pages.append(len(sizes))
        sizes.append((tags[256], tags[257]))
    return PictureHeader(tuple(sizes), tuple(pages or [0]))


def _tiff_directory(data: memoryview, at: int, order: str, big: bool) -> tuple[dict[int, int], int]:
    """Tags 254, 256 and 257 of a directory, and where the next one begins."""
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    length = 20 if big else 12
    if at + count * length > len(data):
        raise ValueError("directory beyond the end")
    tags: dict[int, int] = {256: 0, 257: 0}
    for entry in range(at, at + count * length, length):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (254, 256, 257):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + (12 if big else 8))
    return tags, struct.unpack_from(order + ("Q" if big else "I"), data, at + count * length)[0]


def _avif(data: memoryview) -> PictureHeader:
    # the whole picture of several tiles has a box of its own, and is the largest
    boxes = itertools.islice(re.finditer(b"ispe\\0{4}", data), MOST_STEPS)
    sizes = [struct.unpack_from(">II", data, box.end()) for box in boxes]
    largest = max(sizes, key=lambda size: size[0] * size[1])
    brands = bytes(data[8 : min(int.from_bytes(data[:4], "big"), 256)])
    return PictureHeader((largest,), is_animated=b"avis" in brands)


READERS: tuple[tuple[re.Pattern[bytes], Callable[[memoryview], PictureHeader]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"P[1-6]\s"), _pnm),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), _tiff),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), _avif),
    (re.compile(rb"....ftyp(mif1|miaf|msf1).{8}.*avi[fs]", re.DOTALL), _avif),
)
