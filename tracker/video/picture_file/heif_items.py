"""The meta box of a HEIF file: its items, their tiles and how they are shown (ISO/IEC 14496-12, 23008-12)."""

# readers raise IndexError, KeyError, ValueError or struct.error where the file is damaged

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_ITEMS = 100_000
"""Also of references, properties and boxes."""


@dataclass(slots=True)
class Items:
    """The meta box, as far as it says how pictures are made of items; each item by its id."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    made_of: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """A grid's tiles."""
    secondary: set[int] = field(default_factory=set)
    """Tiles, thumbnails, auxiliary and hidden pictures."""
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    """Name and content, in order."""
    places: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Construction (0 in the file, 1 in idat), first byte and length; of items in one piece."""
    idat: bytes = b""


def read_items(data: bytes) -> Items:
    """data: the whole file."""
    meta = dict(_boxes(data))[b"meta"]
    boxes = dict(_boxes(meta[4:]))
    items = Items(idat=boxes.get(b"idat", b""))
    pitm = boxes[b"pitm"]
    items.primary = int.from_bytes(pitm[4 : 6 if pitm[0] == 0 else 8], "big")
    _read_kinds(boxes[b"iinf"], items)
    if b"iref" in boxes:
        _read_references(boxes[b"iref"], items)
    _read_properties(dict(_boxes(boxes[b"iprp"])), items)
    _read_places(boxes[b"iloc"], items)
    return items


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each box."""
    at = 0
    for _ in range(MOST_ITEMS):
        if at + 8 > len(data):
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or len(data) - at
        if size < head:
            raise ValueError("a box without a size")
        yield data[at + 4 : at + 8], data[at + head : at + size]
        at += size


def _read_kinds(iinf: bytes, items: Items) -> None:
    for name, box in _boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        if name != b"infe" or box[0] < 2 or len(items.kinds) >= MOST_ITEMS:
            continue
        width = 2 if box[0] == 2 else 4
        item = int.from_bytes(box[4 : 4 + width], "big")
        items.kinds[item] = box[6 + width : 10 + width]
        if box[3] & 1:
            items.secondary.add(item)


def _read_references(iref: bytes, items: Items) -> None:
    kind = ">H" if iref[0] == 0 else ">I"
    width = struct.calcsize(kind)
    for name, box in _boxes(iref[4:]):
        (item,) = struct.unpack_from(kind, box)
        (count,) = struct.unpack_from(">H", box, width)
        others = struct.unpack_from(f">{count}{kind[1]}", box, width + 2)
        if name == b"dimg":
            items.made_of[item] = others
            items.secondary.update(others)
        elif name in (b"thmb", b"auxl"):
            items.secondary.add(item)


def _read_properties(iprp: dict[bytes, bytes], items: Items) -> None:
    known = list(_boxes(iprp[b"ipco"]))
    ipma = iprp[b"ipma"]
    is_wide, has_long_ids = ipma[3] & 1, ipma[0] > 0
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, MOST_ITEMS)):
        width = 4 if has_long_ids else 2
        item, number = int.from_bytes(ipma[at : at + width], "big"), ipma[at + width]
        at += width + 1
        for _ in range(number):
            index = int.from_bytes(ipma[at : at + 2], "big") & 0x7FFF if is_wide else ipma[at] & 0x7F
            at += 2 if is_wide else 1
            if index:
                items.properties.setdefault(item, []).append(known[index - 1])


def _read_places(iloc: bytes, items: Items) -> None:
    version = iloc[0]
    offset_size, length_size = iloc[4] >> 4, iloc[4] & 15
    base_size, index_size = iloc[5] >> 4, iloc[5] & 15 if version else 0
    wide = 2 if version < 2 else 4
    count = int.from_bytes(iloc[6 : 6 + wide], "big")
    at = 6 + wide

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(iloc):
            raise ValueError("places beyond the end")
        return int.from_bytes(iloc[at - size : at], "big")

    for _ in range(min(count, MOST_ITEMS)):
        item = number(wide)
        construction = number(2) & 15 if version else 0
        number(2)  # the file that holds it: this one
        base = number(base_size)
        pieces = [(number(index_size), number(offset_size), number(length_size)) for _ in range(number(2))]
        if len(pieces) == 1:
            items.places[item] = (construction, base + pieces[0][1], pieces[0][2])
