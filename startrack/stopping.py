"""Whatever ends a run from outside ends it like Ctrl-C, and between two steps: outputs are finished and agree."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
"""A signal, and the word that a run ends with."""


class Stopped(KeyboardInterrupt):
    """A signal asks the process to end. A KeyboardInterrupt, so that everything that finishes on Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    def __reduce__(self) -> tuple[type[Stopped], tuple[int]]:
        return Stopped, (self.number,)


class _Signals:
    """Signals taken over, and the one that waits for the end of a step."""

    def __init__(self) -> None:
        self.held = 0
        self.waiting: int | None = None

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self.held and self.waiting is None:
            self.waiting = number
            return
        self.stop(number)

    def stop(self, number: int) -> None:
        self.waiting = None
        if number != signal.SIGINT:
            # whoever sends it again must not break off the finishing of outputs; a second Ctrl-C may
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(number)


_signals = _Signals()


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped for Ctrl-C, SIGTERM (docker stop, systemd, SLURM, timeout) and SIGHUP (a closed terminal).

    A signal that is ignored, as under nohup, stays ignored. Outside the main thread, which alone receives signals,
    nothing changes.
    """
    ordinary = {signal.SIG_DFL, signal.default_int_handler}
    numbers = [getattr(signal, name) for name in WORDS if hasattr(signal, name)]
    in_main = threading.current_thread() is threading.main_thread()
    taken = {number: signal.getsignal(number) for number in numbers if in_main}
    taken = {number: before for number, before in taken.items() if before in ordinary}
    for number in taken:
        signal.signal(number, _signals)
    try:
        yield
    finally:
        for number, before in taken.items():
            signal.signal(number, before)


@contextmanager
def unbroken() -> Iterator[None]:
    """A step that is done whole: a signal that comes in the with block is raised at its end, a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _signals.held += 1
    try:
        yield
    finally:
        _signals.held -= 1
        if not _signals.held and _signals.waiting is not None:
            _signals.stop(_signals.waiting)


def ending(stop: KeyboardInterrupt) -> tuple[str, int]:
    """The word and the exit code of a run that was stopped: 128 and the signal's number."""
    number = stop.number if isinstance(stop, Stopped) else int(signal.SIGINT)
    return WORDS[signal.Signals(number).name], 128 + number
