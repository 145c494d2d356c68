"""The program startrack, and python -m startrack: the command line, from its first line to its last."""

from __future__ import annotations

import os
import sys

from startrack.leaving import leave_on_signals


def main() -> None:
    """Run the command that the process was started with, and leave with its exit code."""
    leave_on_signals()  # before all other imports
    from startrack.stopping import take_signals

    take_signals()
    from startrack.commands.app import app

    try:
        app(prog_name="startrack")
    finally:
        _flush()
    sys.exit(0)


def _flush() -> None:
    """Write what the standard output still holds. What fails here would else fail while the interpreter shuts down,
    with two lines of its own and an exit code that says nothing."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        from startrack.commands.shared.errors import note

        note(f"-: cannot be written: {getattr(error, 'strerror', None) or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(5)


if __name__ == "__main__":
    main()
