"""Runs command lines as programs of their own, each forked from a process that has imported everything already.

python -m tests.fuzz.starter GIGABYTES    # limit of each program's addresses; one job a line, as JSON
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

HEAVY = (
    "numpy", "cv2", "av", "onnxruntime", "torch", "onnx", "safetensors.torch", "rich.progress", "pydantic",
    "startrack.commands.app", "startrack.commands.track", "startrack.train.sets", "startrack.train.recipes",
    "startrack.tracker.pipeline", "startrack.tracker.video.source", "startrack.tracker.session.run",
)  # fmt: skip
STREAMS = ("read", "read", "read", "closed", "full", "unread")
"""What a stream is connected to; "read" more often."""
POLL_S = 0.02


def main() -> None:
    limit = int(float(sys.argv[1]) * (1 << 30))
    answers = os.fdopen(os.dup(1), "w")
    for name in HEAVY:
        importlib.import_module(name)
    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), limit)), file=answers, flush=True)


def _answer(job: dict[str, Any], limit: int) -> dict[str, Any]:
    with tempfile.TemporaryFile() as stderr:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(job, limit, stderr.fileno())
        code, usage = _ended(child, began + job["seconds"])
        said = os.pread(stderr.fileno(), 1 << 16, 0).decode("utf-8", "backslashreplace")
    outcome = {None: "hang"}.get(code, "exit" if (code or 0) >= 0 else "crash")
    return {"outcome": outcome, "code": code, "stderr": said, "peak_mb": usage // 1000}


def _ended(child: int, last: float) -> tuple[int | None, int]:
    """Exit code, negative for a signal and None for a process that had to be killed; its peak in KB."""
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss
        if time.monotonic() > last:
            os.killpg(child, signal.SIGKILL)
            return None, os.wait4(child, 0)[2].ru_maxrss
        time.sleep(POLL_S)


def _run(job: dict[str, Any], limit: int, stderr: int) -> NoReturn:
    """In the new process."""
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if job.get("largest_file") is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
        os.chdir(job["folder"])
        os.environ.update(job.get("environment", {}))
        _connect(0, job.get("stdin", "null"), stderr)
        _connect(1, job.get("stdout", "read"), stderr)
        _connect(2, job.get("stderr", "read"), stderr)
        sys.stdin, sys.stdout, sys.stderr = (_stream(number) for number in range(3))
        sys.argv = ["startrack", *job["command"]]
        from startrack.__main__ import main as program

        program()
    except SystemExit as left:
        _leave(left.code if isinstance(left.code, int) else int(left.code is not None))
    except BaseException:
        os.write(stderr, traceback.format_exc().encode("utf-8", "backslashreplace"))
        os._exit(1)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """As the interpreter does at its end, which would wait for the threads of the process that was forked."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        code = 120
    os._exit(code)


def _connect(number: int, what: str, stderr: int) -> None:
    """Let a stream be read (the error stream: by the answer), closed, full, or without a reader."""
    if what == "closed":
        os.close(number)
        return
    if what == "unread":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, number)
        return
    path = {"full": "/dev/full", "zeros": "/dev/zero"}.get(what, os.devnull)
    source = stderr if (number, what) == (2, "read") else os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
    os.dup2(source, number)


def _stream(number: int) -> Any:
    """As the interpreter opens it at its start."""
    try:
        os.fstat(number)
    except OSError:
        return None
    errors = "backslashreplace" if number == 2 else "surrogateescape" if os.environ.get("LC_ALL") == "C" else "strict"
    mode = "r" if number == 0 else "w"
    return open(number, mode, encoding="utf-8", errors=errors, closefd=False, buffering=1)


if __name__ == "__main__":
    Path("/proc/self/oom_score_adj").write_text("500") if os.path.exists("/proc/self/oom_score_adj") else None
    main()
