"""The end of a process by a signal while nothing waits to be finished; imports next to nothing, to be there early."""

from __future__ import annotations

import os
import signal
import sys

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
"""A signal, and the word that a run ends with."""
NUMBERS = [getattr(signal, name) for name in WORDS if hasattr(signal, name)]


def ignore() -> None:
    """Signals have no effect any more."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def leave(number: int, _: object = None) -> None:
    """End the process here and now, with the line and exit code of a signal. Can be a signal's handler."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except Exception:  # results that are still in a buffer; it may be in use, or closed
        pass
    ignore()
    try:  # noqa: SIM105  contextlib takes its time to import
        os.write(2, f"startrack: {WORDS[signal.Signals(number).name]}\n".encode())
    except OSError:
        pass
    os._exit(128 + number)


def has_usual_effect(number: int) -> bool:
    """Whether a signal ends the process; one that is ignored, as under nohup, does not."""
    return signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, leave)


def leave_on_signals() -> None:
    """Have the signals of WORDS end the process with a line from here on."""
    for number in NUMBERS:
        if has_usual_effect(number):
            signal.signal(number, leave)
