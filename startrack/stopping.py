"""Whatever ends a run from outside ends it like Ctrl-C, and between two steps: outputs are finished and agree."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from startrack.leaving import NUMBERS, WORDS, has_usual_effect, ignore, leave

AGAIN_S = 0.2
"""When a signal comes again whose exception was lost."""


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
        self.depth = 0
        """Blocks of stoppable that are open: outside them nothing is there to be finished."""
        self.held = 0
        self.waiting: int | None = None
        self.stopped: int | None = None
        """The signal that Stopped was raised for."""

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self.held and self.waiting is None:
            self.waiting = number
            return
        if not self.depth:
            leave(number)
        self.stop(number)

    def stop(self, number: int) -> None:
        self.waiting, self.stopped = None, number
        if number != signal.SIGINT:
            # whoever sends it again must not break off the finishing of outputs; a second Ctrl-C may
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(number)


_signals = _Signals()


def take_signals() -> None:
    """Take over the signals of WORDS for the rest of this process, which is a program of ours.

    Where no block of stoppable is open, so during imports and after the outputs are finished, such a signal ends the
    process at once, with its line. An exception that a destructor or callback loses comes again.
    """
    for number in _ordinary():
        signal.signal(number, _signals)
    # the first to be registered runs last; then the interpreter would give signals their usual effect, without a line
    atexit.register(ignore)
    sys.unraisablehook = _not_lost


def _ordinary() -> dict[int, Any]:
    """Signals that have their usual effect, and their handlers. One that is ignored, as under nohup, stays ignored."""
    return {number: signal.getsignal(number) for number in NUMBERS if has_usual_effect(number)}


def _not_lost(lost: Any) -> None:
    if not isinstance(lost.exc_value, Stopped):
        sys.__unraisablehook__(lost)
        return
    number = lost.exc_value.number
    while True:
        with suppress(Stopped):  # on a busy machine it comes again before this function is left
            signal.signal(number, _signals)
            again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped for Ctrl-C, SIGTERM (docker stop, systemd, SLURM, timeout) and SIGHUP (a closed terminal).

    A signal that is ignored, as under nohup, stays ignored. Outside the main thread, which alone receives signals,
    nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = _ordinary()
    try:
        _signals.depth += 1
        if _signals.depth == 1:
            _signals.stopped = None
        for number in taken:
            signal.signal(number, _signals)
        yield
    finally:
        _signals.depth -= 1
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


def requested() -> Stopped | None:
    """The signal that ended the current block of stoppable, whatever became of its exception: a library may turn one
    that comes during its imports into an error of its own."""
    return None if _signals.stopped is None else Stopped(_signals.stopped)


def ending(stop: KeyboardInterrupt) -> tuple[str, int]:
    """The word and the exit code of a run that was stopped: 128 and the signal's number."""
    number = stop.number if isinstance(stop, Stopped) else int(signal.SIGINT)
    return WORDS[signal.Signals(number).name], 128 + number
