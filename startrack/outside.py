"""Files and texts from outside: read within bounds, and made fit for a line on a screen."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_LIST = 1 << 29
"""Bytes of a data set's list; COCO's largest has 240 MB."""
LARGEST_MODEL = 1 << 30
"""Bytes of a model file: a landmark network has a hundredth of it."""
LARGEST_FACTS = 1 << 20
"""Bytes of a file that describes one thing: a picture, a model, a run."""
DEEPEST = 32
"""Lists and objects inside one another in a JSON file."""
LONGEST_LINE = 600
"""Characters of a message."""
UNSEEN = (
    *range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070),
    0xFEFF,
)  # fmt: skip
"""Characters that move a terminal's cursor, change its colours or the order of its letters, or are not seen."""
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in UNSEEN}
_CHUNK = 1 << 20


def one_line(text: object, *, longest: int = LONGEST_LINE) -> str:
    """The text as one line of a terminal: control characters as escapes (\\x1b), the middle of a long text cut out.

    Surrogates, with which Python stands for the bytes of a name that are no UTF-8, become escapes too.
    """
    line = str(text)
    if len(line) > longest:
        half = (longest - 30) // 2
        line = f"{line[:half]} … {len(line) - 2 * half} characters … {line[-half:]}"
    return line.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def read_bounded(path: Path, largest: int = LARGEST_LIST) -> bytes:
    """The content of an ordinary file. Raises OSError if it cannot be read or is a device or pipe, which may never
    end, and ValueError above `largest` bytes or for a name that no file can have."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not an ordinary file", str(path))
    if status.st_size > largest:
        raise ValueError(f"{status.st_size} bytes; expected {largest} at most")
    return path.read_bytes()


def read_text(path: Path, largest: int = LARGEST_LIST) -> str:
    """A file's text, UTF-8. Raises as read_bounded; UnicodeDecodeError is a ValueError."""
    return read_bounded(path, largest).decode("utf-8")


def read_json(path: Path, largest: int = LARGEST_LIST) -> Any:
    """The value in a JSON file. Raises OSError if it cannot be read, and ValueError if it is none, too large or too
    deep."""
    return parse_json(read_bounded(path, largest))


def parse_json(content: bytes | str) -> Any:
    """What JSON says. Raises ValueError for anything else, and for lists and objects deeper than DEEPEST."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if _depth(data) > DEEPEST:
        raise ValueError(f"lists within lists; expected {DEEPEST} levels at most")
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("lists within lists without end") from error


def _depth(data: bytes) -> int:
    """The largest number of brackets that are open at once; those within strings count too."""
    deepest = level = 0
    for start in range(0, len(data), _CHUNK):
        values = np.frombuffer(data[start : start + _CHUNK], np.uint8)
        steps = np.isin(values, (ord("["), ord("{"))).astype(np.int32) - np.isin(values, (ord("]"), ord("}")))
        levels = level + np.cumsum(steps)
        deepest, level = max(deepest, int(levels.max())), int(levels[-1])
    return deepest


def shown(value: object, *, longest: int = 60) -> str:
    """A value as a message shows it: its repr in one short line."""
    try:
        return one_line(repr(value), longest=longest)
    except (ValueError, RecursionError):  # a number of 5000 digits; a list that holds itself
        return f"a {type(value).__name__} of great length"


def reason(error: BaseException, *, longest: int = 200) -> str:
    """What an error of a library says, in one line: the first that is not empty, or the error's class."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return one_line(lines[0], longest=longest) if lines else type(error).__name__
