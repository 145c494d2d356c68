"""HEIC pictures: what their items say (ISO/IEC 23008-12), and the tiles that FFmpeg decodes laid side by side.

A phone's photo is a grid of tiles, each a picture of its own to FFmpeg. Turns and mirror images (`irot`, `imir`) are
applied here; thumbnails, depth maps and other auxiliary pictures are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from startrack.tracker.types import ImageArray
from startrack.tracker.video.base import LARGEST_PIXELS, SourceError, check_size
from startrack.tracker.video.decoded import plain_image
from startrack.tracker.video.opening import open_container
from startrack.tracker.video.picture_file.heif_items import Items, read_items
from startrack.tracker.video.pyav import av

MOST_TILES = 4096
MOST_DECODED = 4 * LARGEST_PIXELS
"""Pixels of all tiles of a picture; they overlap its edges a little."""


class Picture(NamedTuple):
    """A picture to show."""

    tiles: tuple[int, ...]
    """Ids of its items, row by row."""
    columns: int
    size: tuple[int, int]
    """Width and height in pixels before it is turned."""
    turns: tuple[bytes, ...]
    """irot and imir with their value, in order."""


def pictures_of(data: bytes, name: str) -> list[Picture]:
    """The primary picture and the others that are shown for themselves. Raises SourceError if the file is damaged, or
    a picture is too large."""
    try:
        items = read_items(data)
        shown = [item for item in items.kinds if item not in items.secondary and _is_picture(items, item)]
        shown.sort(key=lambda item: item != items.primary)
        pictures = [_picture(items, item, data) for item in shown]
    except (IndexError, KeyError, ValueError, struct.error) as error:
        raise SourceError(f"{name}: a broken picture; expected a HEIC file") from error
    if not pictures:
        raise SourceError(f"{name}: no picture in it that can be decoded; expected HEVC pictures")
    for picture in pictures:
        check_size(name, *picture.size)
    return pictures


def _is_picture(items: Items, item: int) -> bool:
    return items.kinds[item] in (b"hvc1", b"hev1", b"grid")


def _picture(items: Items, item: int, data: bytes) -> Picture:
    properties = items.properties.get(item, [])
    turns = tuple(name + content[:1] for name, content in properties if name in (b"irot", b"imir"))
    if items.kinds[item] != b"grid":
        width, height = struct.unpack_from(">II", dict(properties)[b"ispe"], 4)
        return Picture((item,), 1, (width, height), turns)
    construction, start, length = items.places[item]
    grid = (items.idat if construction == 1 else data)[start : start + length]
    rows, columns = grid[2] + 1, grid[3] + 1
    width, height = struct.unpack_from(">II" if grid[1] & 1 else ">HH", grid, 4)
    tiles = items.made_of[item]
    if not 0 < len(tiles) == rows * columns <= MOST_TILES:
        raise ValueError("another number of tiles")
    return Picture(tiles, columns, (width, height), turns)


def read_pictures(data: bytes, name: str) -> Iterator[ImageArray]:
    """(H, W, 3) RGB of each picture, upright, one after the other. Raises SourceError."""
    pictures = pictures_of(data, name)
    for picture in pictures:
        image = _laid(picture, data, name)
        for turn in picture.turns:
            image = _turned(image, turn[:4], turn[4])
        yield np.ascontiguousarray(image)


def _turned(image: ImageArray, kind: bytes, value: int) -> ImageArray:
    if kind == b"irot":
        return np.rot90(image, value & 3)
    return image[:, ::-1] if value & 1 else image[::-1]


def _laid(picture: Picture, data: bytes, name: str) -> ImageArray:
    """The tiles side by side, cut to the picture's size."""
    width, height = picture.size
    canvas = np.zeros((height, width, 3), np.uint8)
    covered = 0
    for number, tile in enumerate(_tiles(picture, data, name)):
        rows, columns = tile.shape[:2]
        top, left = rows * (number // picture.columns), columns * (number % picture.columns)
        part = canvas[top : top + rows, left : left + columns]
        part[:] = tile[: part.shape[0], : part.shape[1]]
        covered += part.shape[0] * part.shape[1]
    if covered < width * height:
        raise SourceError(f"{name}: a broken picture; its tiles do not fill it")
    return canvas


def _tiles(picture: Picture, data: bytes, name: str) -> Iterator[ImageArray]:
    """Decoded one after the other, in the order of the picture's."""
    with open_container(name, BytesIO(data)) as container:
        streams = {stream.id: stream for stream in container.streams.video}
        missing = [tile for tile in picture.tiles if tile not in streams]
        if missing:
            raise SourceError(f"{name}: a broken picture; {len(missing)} of its tiles are missing")
        wanted = [streams[tile] for tile in picture.tiles]
        decoded = sum(stream.codec_context.width * stream.codec_context.height for stream in wanted)
        if decoded > MOST_DECODED:
            raise SourceError(f"{name}: a broken picture; its tiles have {decoded} pixels")
        packets: dict[int, Any] = {packet.stream.id: packet for packet in container.demux(wanted) if packet.size}
        for tile in picture.tiles:
            yield _decoded(streams[tile], packets.get(tile), name)


def _decoded(stream: av.VideoStream, packet: av.Packet[av.VideoStream] | None, name: str) -> ImageArray:
    codec = stream.codec_context
    check_size(name, codec.width, codec.height)
    codec.options = {"max_pixels": str(LARGEST_PIXELS)}
    try:
        frames = [*(codec.decode(packet) if packet else ()), *codec.decode(None)]
    except av.FFmpegError as error:
        raise SourceError(f"{name}: a broken picture: {error.strerror}") from error
    if not frames:
        raise SourceError(f"{name}: a broken picture; a tile holds nothing")
    return plain_image(frames[0])
