"""Files that appear whole: a reader, or the next run after a crash, sees the old file or the new one, never half."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        with suppress(OSError):
            partial.chmod(_mode(target))
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file at once; text as UTF-8. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or of a new one; a temporary file is its owner's alone."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
