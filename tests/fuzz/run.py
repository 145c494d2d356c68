"""Changed files to every loader and random command lines, in child processes with limits: what make fuzz runs.

    python -m tests.fuzz.run --inputs 20000 --commands 1000 --seed 1 --keep failures

A failure is a crash, more than 20 s, a traceback, more than 1 GB above the good file's memory, an exit code that the
help does not name, a control character in a message, or a program started. Prints a table; leaves with 1 if there is
one. --keep: folder for the inputs that failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.command_lines import COMMANDS, furnish, options_of, random_command, random_surroundings
from tests.fuzz.loaders import LOADERS
from tests.fuzz.mutate import mutate
from tests.fuzz.places import put
from tests.fuzz.seeds import make_seeds

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 20.0
FIRST_SECONDS = 300.0
"""For good files, which import everything."""
MOST_MB = 1000
USUAL_COMMAND_MB = 700
"""Of a good command line, with everything imported."""
ADDRESSES_GB = 12.0
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 129, 130, 143}
"""Of commands/app.py."""
ELSEWHERE = 0.04
"""Share of the files in whose place something else is: a folder, a pipe, a device."""
HERE = ("spec", "jsonl", "video", "joined")
"""Kinds that a loader is given as a text, or that may be a pipe, which begins when something is written."""
SLOW = {"mat": 0.1, "heads": 0.1, "engine": 0.5, "detector": 0.5, "graph": 0.3}
"""Kinds with a smaller share of the inputs: each starts a process, or reads a large file."""


@dataclass
class Tally:
    """What came of the inputs."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, outcome) → how many."""
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    most_mb: int = 0

    @property
    def inputs(self) -> int:
        return sum(self.outcomes.values())


class Child:
    """A process of tests.fuzz.child or tests.fuzz.starter, started again when it has ended."""

    def __init__(self, module: str = "tests.fuzz.child") -> None:
        self._module = module
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", self._module, str(ADDRESSES_GB)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._line(300) is not None, "the child does not start"
        return self._process

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, job: dict[str, object], seconds: float = MOST_SECONDS) -> dict[str, object]:
        """Its answer, or how it ended: it hangs if it takes more than these seconds."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it died of is found below
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
        # a busy machine gives a process its share only
        line = self._line(patience(seconds))
        if line:
            answer: dict[str, object] = json.loads(line)
            return answer
        if line is None:
            self._process.kill()
        code = self._process.wait()
        self.close()
        self._start()
        return {"outcome": "hang" if line is None else "crash", "message": f"exit code {code}", "peak_mb": 0}

    def _line(self, seconds: float) -> bytes | None:
        """The next line, b"" at the end, None if none comes in time."""
        assert self._process.stdout is not None
        until, found = time.monotonic() + seconds, b""
        while not found.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            piece = self._process.stdout.read(1 << 16)
            if not piece:
                return b""
            found += piece
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Fuzz:
    """One run: seeds, a child, and what came of it."""

    def __init__(
        self, folder: Path, seed: int, keep: Path | None = None, kinds: Collection[str] = tuple(LOADERS)
    ) -> None:
        self.rng = random.Random(seed)
        self.seeds = make_seeds(folder / "seeds", kinds)
        self.folder, self.keep = folder, keep
        self.tally = Tally()
        self._child = Child()
        self._usual_mb = {kind: self._usual(kind, files) for kind, files in self.seeds.items()}

    def _usual(self, kind: str, files: list[Path]) -> int:
        """Memory of the good files, in MB."""
        peaks = []
        for path in files:
            job: dict[str, object] = {"kind": kind, "folder": str(self.folder / "seeds" / kind), "file": str(path)}
            answer = self._child.ask(job, FIRST_SECONDS)
            assert answer["outcome"] in ("loaded", "refused"), (kind, path, answer)
            assert answer["outcome"] == "loaded" or kind in ("official", "store"), (kind, path, answer)
            peaks.append(int(str(answer["peak_mb"])))
        return max(peaks)

    def files(self, count: int) -> None:
        """Load so many changed files."""
        kinds = list(self.seeds)
        shares = [SLOW.get(kind, 1.0) for kind in kinds]
        for kind in self.rng.choices(kinds, shares, k=count):
            self._file(kind)

    def _file(self, kind: str) -> None:
        whole = self.rng.choice(self.seeds[kind])
        place = self.folder / "changed"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder / "seeds" / kind, place)
        path = place / whole.relative_to(self.folder / "seeds" / kind)
        # a new file: the last one may still be mapped into the child's memory
        if kind not in HERE and self.rng.random() < ELSEWHERE:
            name = f"{path.name}: {put(path, self.rng)}"
        else:
            path.unlink()
            path.write_bytes(mutate(whole.read_bytes(), self.rng))
            name = path.name
        self._judge(kind, {"kind": kind, "folder": str(place), "file": str(path), "what": name}, path)

    def commands(self, count: int) -> None:
        """Run so many command lines."""
        options = {name: options_of(name) for name in COMMANDS}
        names = {"video": "video", "weights": "weights", "points": "pts", "official": "official", "model": "engine"}
        files = {name: self.seeds.get(kind, [Path("missing")])[0] for name, kind in names.items()}
        files["points"] = self.folder / "seeds" / "pts"
        work = self.folder / "work"
        with closing(Child("tests.fuzz.starter")) as starter:
            for _ in range(count):
                furnish(work, files)
                words, around = random_command(self.rng, files, options), random_surroundings(self.rng)
                self._judge_command(starter, {"command": words, "folder": str(work), **around})

    def _judge_command(self, starter: Child, job: dict[str, Any]) -> None:
        seconds = patience(MOST_SECONDS)
        begun = time.monotonic()
        answer = starter.ask(job | {"seconds": seconds}, FIRST_SECONDS)
        outcome, said = str(answer["outcome"]), str(answer.get("stderr", answer.get("message")))
        above = int(str(answer["peak_mb"])) - USUAL_COMMAND_MB
        if outcome == "exit":
            fault = fault_of(answer["code"], said, is_heard=job.get("stderr", "read") == "read")
            outcome = fault or ("memory" if above > MOST_MB else f"exit {answer['code']}")
        self.tally.outcomes["command", outcome] += 1
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - begun)
        self.tally.most_mb = max(self.tally.most_mb, above)
        if not outcome.startswith("exit"):
            shown = {name: value for name, value in job.items() if name != "folder"}
            self.tally.failures.append(f"{outcome}: {shown}: {said[-1500:]!r}, {above} MB above")
            print(self.tally.failures[-1], flush=True)

    def _judge(self, kind: str, job: dict[str, object], path: Path | None) -> None:
        begun = time.monotonic()
        answer = self._child.ask(job)
        seconds = time.monotonic() - begun
        outcome = str(answer["outcome"])
        above = int(str(answer["peak_mb"])) - self._usual_mb.get(kind, 1000)
        if above > MOST_MB:
            outcome = "memory"
        elif answer.get("executed"):
            outcome = "executed"
        self.tally.outcomes[kind, outcome] += 1
        self.tally.slowest_s = max(self.tally.slowest_s, seconds)
        self.tally.most_mb = max(self.tally.most_mb, above)
        if not outcome.startswith(("loaded", "refused")):
            number = len(self.tally.failures)
            line = f"{outcome}: {kind} {job['what']}: {answer['message']}, {above} MB above, {seconds:.1f} s"
            line += f" {answer['executed']}" if answer.get("executed") else ""
            self.tally.failures.append(line)
            print(line, flush=True)
            if self.keep is not None and path is not None and path.is_file() and path.stat().st_size < 1 << 26:
                self.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.keep / f"{number}-{kind}{path.suffix}")

    def close(self) -> None:
        self._child.close()


def fault_of(code: object, said: str, *, is_heard: bool) -> str | None:
    """What is wrong with the end of a command, None if nothing is. said: on the error stream, if somebody hears it."""
    lines = said.splitlines()
    if "Traceback (most recent call last)" in said or "Exception ignored" in said:
        return "traceback"
    if code not in CODES:
        return f"undocumented exit code {code}"
    if any(not line.isprintable() for line in lines):
        return "control character"
    if code != 0 and is_heard and not (lines and (lines[-1].startswith("startrack: ") or code == 2)):
        return "no line"
    return None


def patience(seconds: float) -> float:
    """So many seconds of a machine that is not busy: on a busy one, a process gets its share only."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def table(tally: Tally) -> str:
    """Kinds and outcomes, a line each."""
    kinds = sorted({kind for kind, _ in tally.outcomes})
    lines = []
    for kind in kinds:
        found = {outcome: count for (of, outcome), count in sorted(tally.outcomes.items()) if of == kind}
        lines.append(f"{kind:16} {sum(found.values()):6}  " + ", ".join(f"{k} {v}" for k, v in found.items()))
    lines.append(f"slowest {tally.slowest_s:.1f} s, at most {tally.most_mb} MB above the good file")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--commands", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        fuzz = Fuzz(Path(name), options.seed, options.keep)
        try:
            fuzz.files(options.inputs)
            fuzz.commands(options.commands)
        finally:
            fuzz.close()
            print(table(fuzz.tally), *fuzz.tally.failures, sep="\n")
    sys.exit(1 if fuzz.tally.failures else 0)


if __name__ == "__main__":
    main()
