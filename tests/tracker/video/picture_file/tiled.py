"""HEIC and AVIF files with tiles, as phones write them: encoded pictures in the boxes of ISO/IEC 23008-12."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import av

from startrack.tracker.types import ImageArray

CODECS = {
    ".heic": (
        "libx265",
        "yuv444p",
        {"x265-params": "keyint=1:bframes=0:log-level=none:pools=none:frame-threads=1:info=0", "crf": "4"},
    ),
    ".avif": ("libsvtav1", "yuv420p", {"preset": "10", "crf": "10", "svtav1-params": "avif=1:lp=1"}),
}
"""By suffix: FFmpeg's encoder, format and options, for pictures that need no other."""
NAMES = {".heic": ("heic", b"hvc1", "hvcC"), ".avif": ("avif", b"av01", "av1C")}
"""By suffix: brand, kind of item, box of its configuration."""


def write_tiles(
    path: Path, tiles: Sequence[ImageArray], columns: int, size: tuple[int, int], *, turns: Sequence[bytes] = ()
) -> None:
    """A grid of tiles, (H, W, 3) RGB of one size, cut to `size` (width, height). turns: b"irot" or b"imir" with a byte
    of value each, in their order. The suffix of path says what the file is."""
    brand, kind, box = NAMES[path.suffix]
    packets, config = _encoded(tiles, path)
    height, width = tiles[0].shape[:2]
    grid_id = len(tiles) + 1
    infe = [_full("infe", 2, struct.pack(">HH4sx", item, 0, kind)) for item in range(1, grid_id)]
    infe.append(_full("infe", 2, struct.pack(">HH4sx", grid_id, 0, b"grid")))
    iinf = _full("iinf", 0, struct.pack(">H", len(infe)) + b"".join(infe))
    dimg = _box("dimg", struct.pack(f">HH{len(tiles)}H", grid_id, len(tiles), *range(1, grid_id)))
    turned = [_box(turn[:4].decode(), turn[4:]) for turn in turns]
    known = [_box(box, config), _ispe(width, height), _ispe(*size), *turned]
    of_grid = [3, *range(4, 4 + len(turned))]
    ipma = struct.pack(">I", grid_id)
    ipma += b"".join(struct.pack(">HBBB", item, 2, 0x81, 2) for item in range(1, grid_id))
    ipma += struct.pack(f">HB{len(of_grid)}B", grid_id, len(of_grid), *of_grid)
    iprp = _box("iprp", _box("ipco", b"".join(known)) + _full("ipma", 0, ipma))
    grid = struct.pack(">BBBBHH", 0, 0, len(tiles) // columns - 1, columns - 1, *size)

    def meta(start: int) -> bytes:
        places, at = [], start
        for item, packet in enumerate(packets, start=1):
            places.append(struct.pack(">HHHHII", item, 0, 0, 1, at, len(packet)))
            at += len(packet)
        places.append(struct.pack(">HHHHII", grid_id, 1, 0, 1, 0, len(grid)))
        iloc = _full("iloc", 1, struct.pack(">BBH", 0x44, 0, grid_id) + b"".join(places))
        hdlr = _full("hdlr", 0, struct.pack(">I4s12xx", 0, b"pict"))
        pitm = _full("pitm", 0, struct.pack(">H", grid_id))
        return _full("meta", 0, hdlr + pitm + iinf + _full("iref", 0, dimg) + iprp + _box("idat", grid) + iloc)

    ftyp = _box("ftyp", brand.encode() + struct.pack(">I", 0) + b"mif1" + brand.encode())
    start = len(ftyp) + len(meta(0)) + 8
    path.write_bytes(ftyp + meta(start) + _box("mdat", b"".join(packets)))


def _encoded(tiles: Sequence[ImageArray], path: Path) -> tuple[list[bytes], bytes]:
    """Each tile as a picture of its own, and their common configuration (hvcC)."""
    height, width = tiles[0].shape[:2]
    codec, pixels, options = CODECS[path.suffix]
    packets, config = list[bytes](), b""
    for tile in tiles:
        with av.open(str(path.with_suffix(".mp4")), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            container.mux(stream.encode(av.VideoFrame.from_ndarray(tile, format="rgb24")))
            container.mux(stream.encode())
        with av.open(str(path.with_suffix(".mp4"))) as container:
            packets += [bytes(packet) for packet in container.demux(video=0) if packet.size]
            config = container.streams.video[0].codec_context.extradata or b""
    path.with_suffix(".mp4").unlink()
    assert len(packets) == len(tiles)
    assert config
    return packets, config


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name.encode()) + content


def _full(name: str, version: int, content: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24) + content)


def _ispe(width: int, height: int) -> bytes:
    return _full("ispe", 0, struct.pack(">II", width, height))
