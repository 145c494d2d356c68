"""Runs that are ended at a random moment: their outputs can be read, no process is left, and the same command goes on.

    python -m benchmarks.reliability.kills data/300w --kills 50

Five commands in turn, track, track of several videos, eval-300vw, make-300vw and pack, are each ended by SIGKILL (six
times in ten), SIGTERM, SIGINT or SIGHUP. Moments are drawn from the time that a run takes, one in four of them from its
first quarter. Then the same command is run to its end, and its result compared with that of a run that nobody ended;
nothing half written may be left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from benchmarks.shared.record import RESULTS, write_result

ENDS = [signal.SIGKILL] * 6 + [signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
WORDS = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted", signal.SIGHUP: "hung up"}
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from startrack.__main__ import main; main()"
)
"""The command line, which takes Ctrl-C as in a terminal: a process that a shell starts in the background ignores it."""
FACES = 12
"""Of each of two folders."""
TIMED = {"seconds", "frames_per_second", "total_over_decoding_and_models"}
TIMED |= {f"{stage}_s" for stage in ("decode", "detect", "crop", "engine", "smooth", "total")}
"""Figures of an evaluation that are wall times."""
START_S = 0.15
"""A process that is ended before it has read its first line of ours has no line to say."""
EARLY = 0.25
"""Share of the moments that lie in the first quarter of a run: in its imports."""
ATTEMPTS = 4
"""Runs until one is ended before its own end, each at an earlier moment."""
FINISH_S = 20.0
"""How long workers of a run that is gone may take to leave."""


@dataclass(frozen=True, slots=True)
class Task:
    """A command that writes into a folder of its own."""

    name: str
    words: Callable[[Path], list[str]]
    """The command for a folder."""
    result: Callable[[Path], Any]
    """What must be the same however often it was ended."""
    seconds: float = 0.0
    """Of a run that nobody ended."""


@dataclass(slots=True)
class Outcome:
    """One run that was ended."""

    task: str
    signal: str
    after_s: float
    exit_code: int
    whole_group: bool = False
    """As in a terminal, where Ctrl-C and its closing reach every process of a run."""
    faults: list[str] = field(default_factory=list)


def tasks(made: Path, faces: Path) -> list[Task]:
    """made: videos as make-300vw makes them. faces: the folder of 300W."""
    videos = [str(path) for path in sorted(made.glob("*/vid.avi"))]

    def track(out: Path) -> list[str]:
        files = ["--save-video", out / "out.mp4", "--jsonl", out / "out.jsonl", "--csv", out / "out.csv"]
        return ["track", videos[0], *map(str, files), "--summary", str(out / "out.json")]

    def batch(out: Path) -> list[str]:
        return ["track", *videos, "--jsonl", str(out / "lines"), "--save-video", str(out / "seen"), "--jobs", "2"]

    def evaluate(out: Path) -> list[str]:
        return ["eval-300vw", "--data", str(made), "--out", str(out / "results"), "--mode", "tracker", "--jobs", "2"]

    def make(out: Path) -> list[str]:
        words = ["--data", str(faces), "--split", "common", "--videos", "2", "--frames", "16"]
        return ["make-300vw", str(out / "made"), *words]

    def pack(out: Path) -> list[str]:
        return ["pack", "--data", str(faces), "--split", "common", "--out", str(out / "faces.pack")]

    return [
        Task("track", track, _files),
        Task("track of several", batch, _files),
        Task("eval-300vw", evaluate, _figures),
        Task("make-300vw", make, _files),
        Task("pack", pack, _files),
    ]


def _files(out: Path) -> dict[str, Any]:
    """Contents by name: bytes of text, landmarks and packs, times and first pixels of videos; no records of time."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and path.suffix != ".partial"):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".pack":
            found[name] = _packed(path)
        elif path.suffix in (".mp4", ".avi"):
            found[name] = [(float(frame.time or 0), frame.to_ndarray()[::16, ::16].sum()) for frame in _decoded(path)]
        elif path.name not in ("out.json", ".startrack.lock") and not name.endswith(".track.json"):
            found[name] = path.read_bytes()
        else:
            found[name] = None
    return found


def _packed(path: Path) -> Any:
    """Arrays and facts of a pack; the order of its facts is chance."""
    with safe_open(path, "numpy") as pack:
        facts = sorted(pack.metadata().items())
    return facts, {name: array.tobytes() for name, array in load_file(path).items()}


def _figures(out: Path) -> Any:
    """Figures of the evaluation without times, and the names of all files."""
    report = json.loads((out / "results" / "results.json").read_text(encoding="utf-8"))
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.suffix != ".partial")
    return names, _timeless(report)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in TIMED}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


def _decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def started(task: Task, out: Path, log: Path, *more: str) -> subprocess.Popen[bytes]:
    """A run in a session of its own, so that whatever it leaves behind can be found."""
    command = [sys.executable, "-c", PROGRAM, *task.words(out), *more]
    with log.open("wb") as stderr:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True)


def finished(task: Task, out: Path, log: Path, *more: str) -> int:
    return started(task, out, log, *more).wait(timeout=600)


def ended(task: Task, out: Path, log: Path, by: signal.Signals, after_s: float, *, whole_group: bool) -> Outcome:
    """A run that is ended, and the faults of the outputs and processes that it leaves."""
    process = started(task, out, log)
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        (os.killpg if whole_group else os.kill)(process.pid, by)
    outcome = Outcome(task.name, by.name, round(after_s, 2), process.wait(timeout=600), whole_group)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if any("Traceback" in line for line in lines):
        outcome.faults.append("a traceback")
    if by in WORDS and outcome.exit_code not in (0, 128 + by, -by):
        outcome.faults.append(f"exit code {outcome.exit_code}")
    if outcome.exit_code == 128 + by and lines[-1:] != [f"startrack: {WORDS[by]}"]:
        outcome.faults.append(f"last line {lines[-1:]}")
    if by in WORDS and outcome.exit_code == -by and after_s > START_S:
        outcome.faults.append("ended without a line")
    if not _alone(process.pid):
        outcome.faults.append("processes work on")
    outcome.faults += _unreadable(out)
    return outcome


def _is_protected(task: Task, out: Path) -> bool:
    """Whether a single file's outputs are finished, which needs a word to write them again: a run that was ended by
    anything but a kill has finished them, up to there."""
    if task.name == "track":
        return any(out.glob("out.*")) and not any(out.glob(".out.*.unfinished"))
    return task.name == "pack" and (out / "faces.pack").exists()


def _alone(session: int) -> bool:
    """Whether the processes of a session are gone, or go within FINISH_S."""
    last = time.monotonic() + FINISH_S
    while _members(session):
        if time.monotonic() > last:
            for process in _members(session):
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            return False
        time.sleep(0.1)
    return True


def _members(session: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,sid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, sid, state in rows if int(sid) == session and not state.startswith("Z")]


def _unreadable(out: Path) -> list[str]:
    """Finished outputs that cannot be read."""
    faults = []
    for path in sorted(path for path in out.rglob("*") if path.is_file() and ".partial" not in str(path)):
        try:
            if path.suffix in (".mp4", ".avi") and path.stat().st_size > 4096:
                assert _decoded(path), "no frame"
            elif path.suffix == ".jsonl":
                *lines, _ = path.read_bytes().split(b"\n")
                assert all(json.loads(line)["format"] for line in lines)
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8") or "0")
            elif path.suffix == ".npz":
                with np.load(path) as arrays:
                    assert arrays.files
        except (AssertionError, ValueError, OSError, av.FFmpegError) as error:
            faults.append(f"{path.relative_to(out)}: {error!r}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder of 300W")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one of the commands, such as eval-300vw")
    parser.add_argument("--json", type=Path, default=RESULTS / "kills.json")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="startrack-kills-") as folder:
        outcomes = run_all(Path(folder), args.data, args.kills, chance, only=args.only)
    faults = sum(bool(outcome.faults) for outcome in outcomes)
    whole = sum(outcome.exit_code == 0 for outcome in outcomes)
    print(f"{len(outcomes)} runs ended, {whole} of them after their last step, {faults} with a fault")
    write_result(args.json, {"seed": args.seed, "faults": faults, "runs": [asdict(one) for one in outcomes]})
    raise SystemExit(faults > 0)


def few_faces(data: Path, folder: Path) -> Path:
    """A part of 300W's common test set, so that a command takes seconds."""
    for part in ("helen/testset", "lfpw/testset"):
        (folder / part).mkdir(parents=True)
        for points in sorted((data / part).glob("*.pts"))[:FACES]:
            for file in (data / part).glob(f"{points.stem}.*"):
                shutil.copy(file, folder / part)
    return folder


def run_all(folder: Path, data: Path, kills: int, chance: random.Random, *, only: str | None = None) -> list[Outcome]:
    """folder: for everything that is written. only: name of one command, None for all in turn."""
    made, log, data = folder / "videos", folder / "log.txt", few_faces(data, folder / "300w")
    words = ["--data", str(data), "--split", "common", "--videos", "2", "--frames", "20"]
    subprocess.run([sys.executable, "-m", "startrack", "make-300vw", str(made), *words], check=True)
    wanted, known = {}, []
    for task in (task for task in tasks(made, data) if only in (None, task.name)):
        out = folder / "whole"
        out.mkdir()
        seconds = []
        for _ in range(2):  # the first one reads libraries from the disk
            shutil.rmtree(out)
            out.mkdir()
            began = time.monotonic()
            if finished(task, out, log):
                raise SystemExit(f"{task.name}: {log.read_text()[-2000:]}")
            seconds.append(time.monotonic() - began)
        known.append(Task(task.name, task.words, task.result, min(seconds)))
        wanted[task.name] = task.result(out)
        shutil.rmtree(out)
    outcomes = []
    for number in range(kills):
        task, by = known[number % len(known)], chance.choice(ENDS)
        whole_group = by in (signal.SIGINT, signal.SIGHUP) and chance.random() < 0.5
        share = chance.uniform(0, 0.25) if chance.random() < EARLY else chance.uniform(0.25, 1)
        out = folder / f"ended{number}"
        for attempt in range(ATTEMPTS):
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            after_s = max(START_S, share * task.seconds * 0.8**attempt)
            outcome = ended(task, out, log, by, after_s, whole_group=whole_group)
            if outcome.exit_code or outcome.faults:
                break
        more = ["--overwrite"] if _is_protected(task, out) else []
        if code := finished(task, out, log, *more):
            outcome.faults.append(f"the same command gives {code}: {log.read_text(errors='replace')[-300:]}")
        elif task.result(out) != wanted[task.name]:
            outcome.faults.append("another result")
        if left := [path.name for path in out.rglob("*") if path.suffix in (".partial", ".unfinished")]:
            outcome.faults.append(f"left half written: {', '.join(left)}")
        print(asdict(outcome), flush=True)
        outcomes.append(outcome)
        shutil.rmtree(out)
    return outcomes


if __name__ == "__main__":
    main()
