"""A job's record belongs to one process at a time; the operating system gives it back when that process dies."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from startrack.file_lock import lock_byte

LOCK_FILE = ".startrack.lock"
"""One for a folder; each record has a byte of it."""


class LockedError(Exception):
    """Another process works on this record."""


@contextmanager
def record_lock(record: Path) -> Iterator[None]:
    """Hold a record for the with block. Raises LockedError if somebody else does, OSError if its folder is missing.

    Two records of one folder whose names share a hash (one pair in four billion) exclude each other.
    """
    place = zlib.crc32(os.fsencode(record.name))
    descriptor = os.open(record.parent / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            lock_byte(descriptor, place)
        except OSError as error:
            raise LockedError(f"{record}: another run is working on it") from error
        yield
    finally:
        os.close(descriptor)
