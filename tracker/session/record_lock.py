"""A job's record belongs to one process at a time; the operating system gives it back when that process dies."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".startrack.lock"
"""One for a folder; each record has a byte of it."""


class LockedError(Exception):
    """Another process works on this record."""


@contextmanager
def record_lock(record: Path) -> Iterator[None]:
    """Hold a record for the with block. Raises LockedError if somebody else does, OSError if its folder is missing.

    Two records of one folder whose names share a hash (one pair in four billion) exclude each other.
    """
    place = zlib.crc32(record.name.encode())
    descriptor = os.open(record.parent / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(descriptor, place)
        except OSError as error:
            raise LockedError(f"{record}: another run is working on it") from error
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, place: int) -> None:
    """Lock one byte, or raise OSError at once; closing the file unlocks it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)


def lock_file(descriptor: int) -> None:
    """Lock a whole file for this descriptor, also against others of the same process, or raise OSError at once."""
    if sys.platform == "win32":
        _lock(descriptor, 0)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
