"""Outputs that a killed run left behind: known for certain, so that the same command begins them again without asking.

While a run writes NAME, a hidden file .NAME.unfinished next to it holds the inode of NAME and is locked; the run takes
it away at its end, also after an error or a signal. The operating system frees the lock of a killed process, but leaves
the file. Only an output that has the recorded inode and that no process holds was left unfinished: a file that somebody
put there since has another inode.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from startrack.closing import Closing
from startrack.file_lock import lock_file
from startrack.tracker.sinks.base import SCREEN, SinkError
from startrack.whole_file import beginning, remove_stale


class Claims(Closing):
    """The outputs of one run. While it is open no other run writes them; closed, they are finished."""

    def __init__(
        self,
        files: Iterable[Path | None],
        *,
        folders: Iterable[Path | None] = (),
        overwrite: bool = False,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """files, folders: None, "-" and devices are passed over. overwrite: of existing outputs. report: called with a
        line for each output that is begun again.

        A file that is missing is made, empty; one that is still empty at the end goes again. Raises SinkError if
        another run is writing one of them.
        """
        self._claims: list[_Claim] = []
        self._replaceable: set[Path] = set()
        try:
            for path in files:
                if path is not None and str(path) != SCREEN and (path.is_file() or not path.exists()):
                    self._claim(path, overwrite, report).make()
            for path in folders:
                if path is not None:
                    self._claim(path, overwrite, report)
            self.note()
        except BaseException:
            self.close()
            raise

    def _claim(self, path: Path, overwrite: bool, report: Callable[[str], None]) -> _Claim:
        was_left = is_unfinished(path)
        claim = _Claim(path)
        self._claims.append(claim)
        if was_left:
            report(f"{path}: an earlier run was killed while it wrote this; it is begun again")
            remove_stale(path)
        if overwrite or was_left or not path.exists():
            self._replaceable.add(path)
        return claim

    def may_replace(self, path: Path) -> bool:
        """Whether this run may write an output although something is there."""
        return path in self._replaceable

    def note(self) -> None:
        """Record which files the outputs are now: after one of them was made, or took another's place."""
        for claim in self._claims:
            claim.note()

    def close(self) -> None:
        """The outputs are finished. Safe to call twice."""
        while self._claims:
            self._claims.pop().close()


def is_unfinished(path: Path) -> bool:
    """Whether a killed run left this output, and no run is writing it now."""
    try:
        descriptor = os.open(_marker(path), os.O_RDWR)
    except OSError:
        return False
    try:
        recorded = os.read(descriptor, 200).decode("ascii", "replace").split()
        lock_file(descriptor)
        return bool(recorded) and recorded == _identity(path)
    except OSError:  # locked
        return False
    finally:
        os.close(descriptor)


def _marker(path: Path) -> Path:
    return path.parent / f".{beginning(path.name, 200)}.unfinished"


def _identity(path: Path) -> list[str]:
    """Device and inode, which no other file of this name has; empty if there is none. Raises OSError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return []
    return [str(status.st_dev), str(status.st_ino)]


class _Claim:
    """One output, its marker locked."""

    def __init__(self, path: Path) -> None:
        """Raises SinkError if another run holds it. A folder that takes no marker is claimed without one."""
        self.path, self._made = path, False
        self._descriptor: int | None = None
        with suppress(OSError):
            self._descriptor = self._locked()

    def make(self) -> None:
        """An empty file if there is none, so that its inode is known before anything is in it."""
        if self._descriptor is not None and not self.path.is_symlink():
            with suppress(OSError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                self._made = True

    def _locked(self) -> int:
        while True:
            descriptor = os.open(_marker(self.path), os.O_RDWR | os.O_CREAT, 0o666)
            try:
                lock_file(descriptor)
            except OSError as error:
                os.close(descriptor)
                if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                    raise SinkError(f"{self.path}: another run is writing it; expected another name") from error
                raise
            with suppress(OSError):
                if os.fstat(descriptor).st_ino == os.stat(_marker(self.path)).st_ino:
                    return descriptor
            os.close(descriptor)  # the run that held it has just ended, and took it away

    def note(self) -> None:
        with suppress(OSError):
            self._write(_identity(self.path))

    def _write(self, identity: list[str]) -> None:
        if self._descriptor is not None:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, " ".join(identity).ljust(100).encode())

    def close(self) -> None:
        if self._made:
            with suppress(OSError):
                if self.path.stat().st_size == 0:
                    self.path.unlink()
        if self._descriptor is None:
            return
        with suppress(OSError):
            self._write([])  # a marker that cannot be removed says nothing
        with suppress(OSError):
            if os.name != "nt":  # while it is locked, or it may be another run's
                _marker(self.path).unlink()
        os.close(self._descriptor)
        self._descriptor = None
        with suppress(OSError):
            if os.name == "nt":  # where an open file cannot be removed
                _marker(self.path).unlink()
