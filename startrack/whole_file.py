"""Files that appear whole: a reader, or the next run after a crash, sees the old file or the new one, never half.

A file that is being written has another name, .NAME.….partial, and is locked. A killed process leaves it, but not its
lock: the next one that writes NAME takes it away.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from startrack.file_lock import lock_file

PARTIAL = ".partial"
_LONGEST = 100
"""Bytes of NAME in the other name."""
_RANDOM = re.compile(r"[a-z0-9_]{8}" + re.escape(PARTIAL))
"""What follows NAME in the other name."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to in the with block; at its end that file takes the place of `path`.

    The temporary file has a name that nobody can know beforehand (CWE-59), and goes if the block raises. A device or
    pipe is written directly, since it cannot be replaced. A link stays a link to the new file. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield target
        return
    remove_stale(target)
    partial, descriptor = _made(target, is_folder=False)
    try:
        yield partial
        with suppress(OSError):
            partial.chmod(_mode(target))
        os.replace(partial, target)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            error.filename = str(path)  # a full disk names no file
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def whole_folder(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """As whole_file for a folder that does not exist yet, or is empty."""
    remove_stale(path)
    partial, descriptor = _made(path, is_folder=True)
    try:
        yield partial
        partial.chmod(mode & ~_mask())
        os.replace(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file at once; text as UTF-8. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_stale(path: Path) -> None:
    """Take away what killed processes left of a file or folder that they wrote; that of a living one stays.

    Nothing is done on Windows, where a locked file could not be written by its name.
    """
    if os.name == "nt":
        return
    prefix = _prefix(path)
    try:
        with os.scandir(path.parent) as entries:  # of a data set, whose names are many
            begun = [entry for entry in entries if entry.name.startswith(prefix)]
            named = [entry for entry in begun if _RANDOM.fullmatch(entry.name, len(prefix))]
    except OSError:
        return
    # no pipe, whose opening would wait, and no link
    kinds = [entry for entry in named if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)]
    for partial in map(Path, kinds):
        with suppress(OSError):
            descriptor = os.open(partial, os.O_RDONLY)
            try:
                lock_file(descriptor)
                if partial.is_dir():
                    shutil.rmtree(partial)
                else:
                    partial.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def beginning(name: str, size: int) -> str:
    """The first characters of a name, in `size` bytes at most: a name may have 255."""
    return os.fsencode(name)[:size].decode("utf-8", "ignore")


def _prefix(path: Path) -> str:
    return f".{beginning(path.name, _LONGEST)}."


def _made(target: Path, *, is_folder: bool) -> tuple[Path, int | None]:
    """A new partial file or folder, locked, and the descriptor that holds the lock, if it has one."""
    make = tempfile.mkdtemp if is_folder else _new_file
    while True:
        partial = Path(make(prefix=_prefix(target), suffix=PARTIAL, dir=target.parent))
        if os.name == "nt":
            return partial, None
        # whoever had the lock a moment before took it for what a killed process left
        with suppress(FileNotFoundError):
            descriptor = os.open(partial, os.O_RDONLY)
            try:
                lock_file(descriptor)
                is_mine = partial.exists()
            except OSError as error:  # no file of a file system without locks is taken away
                is_mine = error.errno not in (errno.EACCES, errno.EAGAIN)
            if is_mine:
                return partial, descriptor
            os.close(descriptor)


def _new_file(**name: Any) -> str:
    descriptor, path = tempfile.mkstemp(**name)
    os.close(descriptor)
    return str(path)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or of a new one; a temporary file is its owner's alone."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    return 0o666 & ~_mask()


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
