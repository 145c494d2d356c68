"""Files and texts from outside: read within bounds, and made fit for a line on a screen."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    size = check_ordinary(path)
    if size > largest:
        raise ValueError(f"{size} bytes; expected {largest} at most")
    return path.read_bytes()


def check_ordinary(path: Path) -> int:
    """The bytes of an ordinary file. Raises OSError for a device or pipe, which may never end, or never begin."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not an ordinary file", str(path))
    return status.st_size


def check_unpacked(path: Path, largest: int) -> None:
    """Raise ValueError if a zip file, such as .npz or torch's, unpacks to more bytes than expected: a small one may
    hold any number of zeros. Raises OSError and ValueError also where it is no zip file that can be read."""
    check_ordinary(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, struct.error) as error:
        raise ValueError(f"not a zip file that can be read: {error}") from error
    if unpacked > largest:
        raise ValueError(f"unpacks to {unpacked} bytes; expected {largest} at most")


def check_torch_file(path: Path) -> None:
    """Raise OSError or ValueError for anything but an ordinary file, or unpacks to more than it has: torch compresses
    nothing."""
    size = check_ordinary(path)
    if zipfile.is_zipfile(path):
        check_unpacked(path, size)


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


def _depth(data: bytes, chunk: int = _CHUNK) -> int:
    """The largest number of brackets that are open at once outside strings, up to where JSON ends."""
    deepest, level, before = 0, 0, _Before()
    for start in range(0, len(data), chunk):
        values = np.frombuffer(data[start : start + chunk], np.uint8)
        steps = np.isin(values, (ord("["), ord("{"))).astype(np.int32) - np.isin(values, (ord("]"), ord("}")))
        steps[before.in_strings(values)] = 0
        levels = level + np.cumsum(steps)
        deepest, level = max(deepest, int(levels.max())), int(levels[-1])
    return deepest


class _Before:
    """The state that the bytes before a chunk of JSON leave: a string, and a backslash before the next character."""

    def __init__(self) -> None:
        self._in_string = self._is_escaped = False

    def in_strings(self, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether each byte of the next chunk (N,), not empty, lies within a string."""
        slashes = np.flatnonzero(values == ord("\\"))
        quotes = values == ord('"')
        if self._is_escaped:
            quotes[0] = False
        is_escaped = False
        if len(slashes):
            # of backslashes in a row every second one is escaped, and the last escapes what follows if they are odd
            first = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
            lengths = np.diff(first, append=len(slashes))
            starts = slashes[first]
            if self._is_escaped and starts[0] == 0:
                starts[0], lengths[0] = 1, lengths[0] - 1
            after = (starts + lengths)[lengths % 2 == 1]
            is_escaped = len(after) > 0 and bool(after[-1] == len(values))
            quotes[after[after < len(values)]] = False
        within: NDArray[np.bool_] = (np.cumsum(quotes) + self._in_string) % 2 == 1
        self._in_string, self._is_escaped = bool(within[-1]), is_escaped
        return within


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
