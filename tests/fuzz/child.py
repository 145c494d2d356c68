"""The process that loads changed files: one job a line on its standard input, as JSON.

python -m tests.fuzz.child GIGABYTES    # limit of its addresses
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import traceback
import warnings
from pathlib import Path

FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
"""Audit events that no file may bring about; the reader of .mat files starts a process of ours."""


def main() -> None:
    limit = int(float(sys.argv[1]) * (1 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    # what libraries print
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    executed: list[str] = []
    sys.addaudithook(lambda event, _: executed.append(event) if event in FORBIDDEN else None)
    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        executed.clear()
        _reset_peak()
        answer = _load(job)
        answer |= {"peak_mb": _peak_mb(), "executed": sorted(set(executed))}
        print(json.dumps(answer), file=answers, flush=True)


def _load(job: dict[str, str]) -> dict[str, object]:
    from startrack.errors import StartrackError
    from startrack.outside import one_line
    from tests.fuzz.loaders import LOADERS

    try:
        LOADERS[job["kind"]](Path(job["folder"]), Path(job["file"]))
    except (StartrackError, OSError) as error:  # the commands have a line for both
        return {"outcome": "refused", "message": one_line(error)}
    except BaseException as error:
        return {"outcome": "traceback", "message": _where(error)}
    return {"outcome": "loaded", "message": ""}


def _where(error: BaseException) -> str:
    """The error and the last places of ours that it passed through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:]]
    return f"{type(error).__name__}: {str(error)[:200]!r} at {' > '.join(places)}"


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> int:
    """Largest resident memory since the reset, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1000 for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
