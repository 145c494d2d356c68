"""Changes of a good file: bytes, numbers in headers, words of lists, the structure of JSON."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from typing import Any

from tests.fuzz.structure import changes_of

NUMBERS = (
    "0", "-1", "1", "2147483647", "4294967296", "-9223372036854775808", "1e308", "1e999", "NaN", "-Infinity", "0.5",
    "9" * 400, "9" * 5000, "١٢٣", "0x10", "1_000",
)  # fmt: skip
WORDS = (
    "", "../../../../etc/passwd", "/dev/zero", "/etc/passwd", "a\0b", "\x1b[2J\x1b]0;x\x07", "\u202e\u2028", "\ud800",
    "x" * 120_000, "%s%n{0}", "null", "train", "CON", "~", "*", "\\\\host\\x",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 10**400, 0.5, float("nan"), float("inf"), "", "1.25", [], {}, [[]], [None],
    {"a": 1}, *WORDS[1:7], [1, 2, 3], ["a", "b"],
)  # fmt: skip
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Content with one to four changes; what is text or JSON is mostly changed as such."""
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_flip, _flip, _header, _cut, _splice, _insert, _edge]
    if content[:1] in (b"{", b"["):
        kinds = [_json] * 10 + [_twice] * 4 + [_words, _words, _flip, _cut, _deep]
    elif b"\0" not in content[:4000]:
        kinds = [_words] * 8 + [_lines, _lines, _flip, _cut, _insert]
    elif structured := changes_of(content):
        kinds += structured * 4
    if rng.random() < 0.05:
        kinds = [_spelling]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        content = rng.choice(kinds)(content, rng)
    return content


def _spelling(content: bytes, rng: random.Random) -> bytes:
    """The same in another spelling: ends of lines, byte order marks, encodings, more around it."""
    match rng.randrange(8):
        case 0:
            return b"\xef\xbb\xbf" + content
        case 1:
            return content.replace(b"\n", b"\r\n")
        case 2:
            return content.replace(b"\n", b"\r")
        case 3:
            return content.decode("latin-1").encode("utf-16")
        case 4:
            return content + content
        case 5:
            return content.rstrip(b"\n")
        case 6:
            return rng.choice((b"\n\n", b" ", b"\x1a", b"#!", b"\x1f\x8b\x08\x00")) + content
        case _:
            return gzip.compress(content) if rng.random() < 0.5 else content.upper()


def _twice(content: bytes, rng: random.Random) -> bytes:
    """A name of a JSON object there twice, or a value that JSON does not know."""
    text = content.decode("utf-8", "replace")
    pairs = list(re.finditer(r'"[^"]*"\s*:\s*("[^"]*"|[-\d.]+|true|false|null)', text))
    if not pairs:
        return content
    pair = rng.choice(pairs)
    if rng.random() < 0.5:
        return (text[: pair.start()] + f"{pair[0]}, " + text[pair.start() :]).encode("utf-8", "surrogatepass")
    new = rng.choice(
        ("NaN", "Infinity", "-Infinity", "1e999", "-0", "0x1", "undefined", "'a'", "1,", '"\\ud800"', "01")
    )
    return (text[: pair.start(1)] + new + text[pair.end(1) :]).encode("utf-8", "surrogatepass")


def _flip(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _header(content: bytes, rng: random.Random) -> bytes:
    data, span = bytearray(content), min(len(content), rng.choice((32, 256, 2048)))
    for _ in range(rng.choice((1, 2, 4))):
        if span:
            data[rng.randrange(span)] = rng.randrange(256)
    return bytes(data)


def _edge(content: bytes, rng: random.Random) -> bytes:
    """A number of 1 to 8 bytes at an end of its range."""
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    span = min(len(content), rng.choice((64, 512, len(content) or 1)))
    at = rng.randrange(max(1, span))
    value = rng.choice(EDGES) & ((1 << (8 * size)) - 1)
    return content[:at] + value.to_bytes(size, order) + content[at + size :]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _splice(content: bytes, rng: random.Random) -> bytes:
    """A part at another place, or again."""
    first, second = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    at = rng.randrange(len(content) + 1)
    part = content[first : min(second, first + rng.choice((16, 512, 65536)))]
    return content[:at] + part + content[at + rng.choice((0, len(part))) :]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice((b"\0", b"\xff", b"\n")) * rng.choice((1, 7, 300)) + content[at:]


def _words(content: bytes, rng: random.Random) -> bytes:
    """A number or a word of a text exchanged."""
    text = content.decode("utf-8", "replace")
    number = rng.random() < 0.7
    places = list(re.finditer(r"-?\d+\.?\d*" if number else r"[A-Za-z_./]+", text))
    if not places:
        return content
    place, new = rng.choice(places), rng.choice(NUMBERS if number else WORDS)
    return (text[: place.start()] + new + text[place.end() :]).encode("utf-8", "surrogatepass")


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 2:
            lines[at] = lines[at] * rng.choice((2, 50))
        case _:
            rng.shuffle(lines)
    return b"".join(lines)


def _json(content: bytes, rng: random.Random) -> bytes:
    """One value of a JSON text exchanged, or a name taken away or changed."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return _words(content, rng)
    at, parents = whole, []
    while isinstance(at, dict | list) and at and rng.random() < 0.85:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        parents.append((at, key))
        at = at[key]
    if not parents:
        whole = rng.choice(VALUES)
    else:
        parent, key = parents[-1]
        if rng.random() < 0.2:
            del parent[key]
        elif isinstance(parent, dict) and rng.random() < 0.1:
            parent[rng.choice(WORDS)] = parent.pop(key)
        else:
            parent[key] = rng.choice(VALUES)
    return json.dumps(whole).encode()


def _deep(content: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((10, 100, 900, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    at = max(content.find(b":", rng.randrange(len(content) + 1)), 0) + 1
    inner = opening * depth + b"1" + (closing * depth if rng.random() < 0.7 else b"")
    return content[:at] + inner + content[at + 1 :] if rng.random() < 0.7 else inner
