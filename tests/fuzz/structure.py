"""Changes of a file along its own structure: chunks and boxes, members of archives, tables of numbers."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

Change = Callable[[bytes, random.Random], bytes]
Pieces = list[tuple[int, int]]
"""First byte and end of each chunk, box, segment or packet."""
ZEROS = 1 << 30
"""Bytes of a member that is nothing but zeros."""
HUGE = (0, 1, 2, 7, 255, 65_535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
BOXES = re.compile(rb"ftyp|moov|trak|mdia|minf|stbl|meta|iprp|ipco|moof|traf|edts|dinf|udta")
"""Boxes that hold others, and the first one."""


def changes_of(content: bytes) -> list[Change]:
    """Changes that fit what a file is; none for one without a known structure."""
    if content[:2] == b"PK":
        return [_member, _member, _member, _archive]
    if _safetensors(content):
        return [_header, _header, _pieces]
    if content[:9] == b"MATLAB 5." and len(content) > 128:
        return [_compressed, _compressed, _pieces]
    return [_pieces, _pieces, _length] if len(pieces_of(content)) > 1 else []


def pieces_of(content: bytes) -> Pieces:
    """Empty where nothing of a known kind begins."""
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _walk(content, 8, lambda at: 12 + int.from_bytes(content[at : at + 4], "big"))
    if content[:4] == b"RIFF":
        return _walk(content, 12, lambda at: 8 + (int.from_bytes(content[at + 4 : at + 8], "little") + 1) // 2 * 2)
    if content[4:8] == b"ftyp":
        return _boxes(content)
    if content[:2] == b"\xff\xd8":
        return [(match.start(), match.end()) for match in re.finditer(rb"\xff[\xc0-\xfe][^\xff]*", content)]
    if content[:9] == b"MATLAB 5.":
        return _walk(content, 128, lambda at: 8 + int.from_bytes(content[at + 4 : at + 8], "little"))
    if content[:1] == b"G" and len(content) % 188 == 0:
        return [(at, at + 188) for at in range(0, len(content), 188)]
    if content[:4] in (b"\x1aE\xdf\xa3", b"OggS") or content[:3] in (b"FLV", b"GIF"):
        return [(at, min(at + 64, len(content))) for at in range(0, len(content), 64)]
    return []


def _walk(content: bytes, start: int, length: Callable[[int], int]) -> Pieces:
    found, at = [], start
    while at + 8 <= len(content) and len(found) < 2000:
        end = min(len(content), at + max(8, length(at)))
        found.append((at, end))
        at = end
    return found


def _boxes(content: bytes) -> Pieces:
    """Boxes at every depth."""
    found = _walk(content, 0, lambda at: int.from_bytes(content[at : at + 4], "big"))
    for start, end in found:
        if BOXES.fullmatch(content[start + 4 : start + 8]) and len(found) < 2000:
            skip = 12 if content[start + 4 : start + 8] == b"meta" else 8
            inner = _walk(content[:end], start + skip, lambda at: int.from_bytes(content[at : at + 4], "big"))
            found += [piece for piece in inner if piece[0] > start]
    return found


def _pieces(content: bytes, rng: random.Random) -> bytes:
    """Whole pieces exchanged, repeated, taken away or put into one another; or the file ends between two."""
    pieces = pieces_of(content)
    if len(pieces) < 2:
        return content
    (first, first_end), (second, second_end) = sorted(rng.sample(pieces, 2))
    one, other = content[first:first_end], content[second:second_end]
    match rng.randrange(6):
        case 0 if first_end <= second:
            changed = content[:first] + other + content[first_end:second] + one + content[second_end:]
        case 1:
            changed = content[:second] + one * rng.choice((1, 3, 200)) + content[second:]
        case 2:
            changed = content[:first] + content[first_end:]
        case 3:
            changed = content[:second] + rng.choice((b"", b"\0", other[:4], other[:8]))
        case 4:
            inside = first + min(8, first_end - first)
            changed = content[:inside] + other + content[inside:]
        case _:
            changed = content[:first] + bytes(first_end - first) + content[first_end:]
    return _checked(changed)


def _length(content: bytes, rng: random.Random) -> bytes:
    """A piece that says another length, or one of its numbers at an end of its range."""
    pieces = pieces_of(content)
    if not pieces:
        return content
    start, end = rng.choice(pieces)
    order = "little" if content[:4] in (b"RIFF", b"MATL") else "big"
    at = start if rng.random() < 0.4 else rng.randrange(start, max(start + 1, min(end, start + 64)))
    return _checked(content[:at] + rng.choice(HUGE).to_bytes(4, order) + content[at + 4 :])


def _checked(content: bytes) -> bytes:
    """A PNG with the checksums of what it holds, so that a reader comes as far as that."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return content
    data = bytearray(content)
    for start, end in pieces_of(content):
        if end - start >= 12 and int.from_bytes(data[start : start + 4], "big") == end - start - 12:
            data[end - 4 : end] = zlib.crc32(data[start + 4 : end - 4]).to_bytes(4, "big")
    return bytes(data)


def _member(content: bytes, rng: random.Random) -> bytes:
    """A member of an archive changed and packed again."""
    from tests.fuzz.mutate import mutate

    def change(name: str, member: bytes) -> bytes:
        if member[:6] == b"\x93NUMPY" and rng.random() < 0.7:
            return _numpy(member, rng)
        return mutate(member, rng)

    return _packed_again(content, rng, change)


def _packed_again(content: bytes, rng: random.Random, change: Callable[[str, bytes], bytes]) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, ValueError, EOFError, RuntimeError):
        return content
    chosen = rng.randrange(len(members)) if members else 0
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for number, (name, member) in enumerate(members):
            archive.writestr(name, change(name, member) if number == chosen else member)
    return out.getvalue()


def _archive(content: bytes, rng: random.Random) -> bytes:
    """A member that is missing, there twice, in another folder, an archive itself, or a gigabyte of zeros."""
    kind = rng.choice(("missing", "twice", "outside", "nested", "zeros", "empty"))
    if kind == "zeros" and rng.random() < 0.7:  # they take a second to pack
        kind = "missing"
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            entries = archive.infolist()
            chosen = rng.choice(entries) if entries else None
            for entry in entries:
                member, name = archive.read(entry), entry.filename
                if entry is chosen:
                    if kind == "missing":
                        continue
                    name = f"../../{name}" if kind == "outside" else name
                    member = {"nested": content, "zeros": b"", "empty": b""}.get(kind, member)
                    if kind == "zeros":
                        head = entry.filename.endswith(".npy") and archive.read(entry)[:128]
                        with new.open(name, "w", force_zip64=True) as file:
                            file.write(head or b"")
                            for _ in range(ZEROS >> 24):
                                file.write(bytes(1 << 24))
                        continue
                new.writestr(name, member)
                if kind == "twice" and entry is chosen:
                    new.writestr(f"{name}2", member)
                    new.filelist[-1].filename = name
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, ValueError, EOFError, RuntimeError):
        return content
    return out.getvalue()


def _numpy(member: bytes, rng: random.Random) -> bytes:
    """Another shape or type in the header of an array."""
    length = int.from_bytes(member[8:10], "little")
    header = member[10 : 10 + length].decode("latin-1")
    shape = rng.choice(
        ("()", "(0,)", "(-1,)", "(99999999999,)", "(3, 3)", "(1,)*40", "(2**80,)", "None", "(3.5,)", "(10**12, 0)")
    )
    kind = rng.choice(("<f8", "|O", ">f8", "<U3", "|V999999", "<M8[s]", "<f2", "|b1", "nonsense", "<c16", "<i8"))
    if rng.random() < 0.6:
        header = re.sub(r"'shape': \([^)]*\)", f"'shape': {shape}", header)
    else:
        header = re.sub(r"'descr': '[^']*'", f"'descr': {kind!r}", header)
    text = header.encode("latin-1", "replace").rstrip() + b"\n"
    return member[:8] + len(text).to_bytes(2, "little") + text + member[10 + length :]


def _safetensors(content: bytes) -> int:
    """Length of the header of such a file, 0 of another."""
    length = int.from_bytes(content[:8], "little")
    return length if 2 <= length < len(content) and content[8:9] == b"{" else 0


def _header(content: bytes, rng: random.Random) -> bytes:
    """Other tensors in a safetensors file; what follows stays in its place."""
    from tests.fuzz.mutate import mutate

    length = _safetensors(content)
    header, rest = content[8 : 8 + length], content[8 + length :]
    if rng.random() < 0.5:
        try:
            tensors = json.loads(header)
            entry = tensors[rng.choice([name for name in tensors if name != "__metadata__"])]
            what = rng.choice(("dtype", "shape", "data_offsets"))
            entry[what] = {
                "dtype": rng.choice(("F16", "BF16", "F8_E4M3", "I64", "BOOL", "X", 3)),
                "shape": rng.choice(([], [0], [-1], [2**62, 4], [2**40], [1] * 99, "x")),
                "data_offsets": rng.choice(([0, 2**63], [5, 3], [0, 0], [-4, 4], [0])),
            }[what]
            header = json.dumps(tensors).encode()
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            header = mutate(header, rng)
    else:
        header = mutate(header, rng)
    return len(header).to_bytes(8, "little") + header + rest


def _compressed(content: bytes, rng: random.Random) -> bytes:
    """An element of a MATLAB file, unpacked where it is packed, changed, and packed again."""
    from tests.fuzz.mutate import mutate

    pieces = pieces_of(content)
    if not pieces:
        return content
    start, end = rng.choice(pieces)
    kind, body = content[start : start + 4], content[start + 8 : end]
    try:
        unpacked = zlib.decompress(body) if kind == b"\x0f\0\0\0" else body
    except zlib.error:
        return content
    if rng.random() < 0.5 and len(unpacked) > 8:
        at = rng.randrange(0, len(unpacked) - 4, 4)
        unpacked = unpacked[:at] + struct.pack("<I", rng.choice(HUGE)) + unpacked[at + 4 :]
    else:
        unpacked = mutate(unpacked, rng)
    body = zlib.compress(unpacked)
    return content[:start] + b"\x0f\0\0\0" + len(body).to_bytes(4, "little") + body + content[end:]
