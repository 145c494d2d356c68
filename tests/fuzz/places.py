"""What may be where a file is expected: nothing, a folder, a pipe, a device, a link that leads to itself."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

PLACES = ("empty", "folder", "pipe", "zeros", "full", "loop", "nowhere", "terminal", "socket", "huge", "null")
SPARSE = 3 << 30
"""Bytes of a file that is nothing but a hole."""


def bind_socket(path: Path) -> None:
    """A socket's address is short, a path may be long."""
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def put(path: Path, rng: random.Random) -> str:
    """Put one of PLACES in place of a file; which one."""
    kind = rng.choice(PLACES)
    path.unlink()
    targets = {
        "zeros": "/dev/zero",
        "full": "/dev/full",
        "nowhere": "missing",
        "terminal": "/dev/tty",
        "null": "/dev/null",
    }
    match kind:
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            bind_socket(path)
        case "loop":
            path.symlink_to(path.name)
        case "huge":
            with path.open("wb") as file:
                file.truncate(SPARSE)
        case _:
            path.symlink_to(targets[kind])
    return kind
