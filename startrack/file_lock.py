"""Locks of files: the operating system gives them back when the process that holds them dies."""

from __future__ import annotations

import os
import sys


def lock_file(descriptor: int) -> None:
    """Lock a whole file or folder for this descriptor, also against others of the same process, or raise OSError at
    once; closing the descriptor unlocks it."""
    if sys.platform == "win32":
        lock_byte(descriptor, 0)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_byte(descriptor: int, place: int) -> None:
    """Lock one byte of a file against other processes, or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
