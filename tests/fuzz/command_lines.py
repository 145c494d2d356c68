"""Random command lines: known options with good and bad values, on good files, in good and bad surroundings."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from tests.fuzz.places import bind_socket

NUMBERS = (
    "0", "1", "-1", "2", "0.5", "-0", "1e999", "1e400", "1e-400", "nan", "-nan", "inf", "-inf", "9" * 30, "99999999999",
    "-99999999999", "100000", "0x10", "1_000", "٣", "１", "+1", " 1", "1 ", "1,5", "5e-324", "2147483648", "1/2", "0/0",
    "nan,nan,nan,nan", "1,2,3,4", "0,0,1e9,1e9", "-5,-5,0,0", "1,2,3", "0.04", "15", "30000",
)  # fmt: skip
WORDS = (
    "", " ", "x", "a,b", "-", "--", ".", "..", "/", "~", "~root", "%04d.png", "%n%s", "img[0-9].png", "*", "[", "**/*",
    "\x1b[31mred", "a\nb", "a\tb", "\udcff.mp4", "名", "é" * 130, "x" * 5000, "\u202egnp.exe", "'", '"', "$(id)", "a;b",
    "kalman", "none", "l", "train", "auto", "all", "points", "points,pose", "window,web", "track", "True", "null", "{}",
    "file:///etc/passwd", "http://127.0.0.1:1/x.mp4", "https://[::1", "rtsp://user:pass@127.0.0.1:1/x", "data:,x",
    "concat:a|b", "http://", "://", "pipe:0", "lavfi:testsrc", "tcp://127.0.0.1:1", "camera", "0:", "/dev/video99",
)  # fmt: skip
PLACES = (
    "missing.mp4", "out", "out/new.json", "out/new.mp4", "out/new.csv", "out/no/such/folder/x", "../seeds", "loop",
    "folder", "full", "/dev/null", "/dev/full", "/dev/zero", "/dev/stdout", "/dev/stderr", "/proc/x", "/sys/x.json",
    "/proc/self/mem", "/etc/passwd", "/etc/passwd/x", "socket", "out/\x1b]0;x\x07.mp4", "out/" + "é" * 120 + ".mp4",
    "out/" + "x" * 300 + ".jsonl", "empty.mp4", "text.mp4", "many",
)  # fmt: skip
GOOD = ("1", "2", "0.1", "15", "30", "none", "kalman", "points", "64", "100", "0.5", "10")
SIZES = (100, 4000, 20_000)
"""Bytes at which the disk is full."""
ENVIRONMENTS = (
    {"LC_ALL": "C", "LANG": "C"},
    {"COLUMNS": "1"},
    {"COLUMNS": "x", "TERM": "dumb"},
    {"NO_COLOR": "1"},
    {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/dev/null"},
    {"TMPDIR": "/nonexistent"},
    {"TZ": "nonsense", "LANG": "xx_YY"},
    {"PYTHONWARNINGS": "error"},
)
NEVER = {
    "--show", "--web-port", "--web-host", "--list-devices", "--virtual-camera", "--dask", "--jobs", "--osc", "--vmc",
    "--openseeface", "--engine", "--device", "--reconnect", "--workers", "--compile", "--realtime", "--verify",
    "--install-completion", "--show-completion",
}  # fmt: skip
"""Windows, sockets, processes and what changes the user's home: tests of their own have them."""
COMMANDS: dict[str, list[str]] = {
    "track": ["{video}", "--show", "none", "--end", "0.2", "--reconnect", "0"],
    "bench": ["{video}", "--frames", "2"],
    "export": ["--weights", "{weights}", "--out", "out/model.onnx"],
    "evaluate": ["--data", "{points}", "--dataset", "folder", "--split", "train"],
    "pack": ["--data", "{points}", "--dataset", "folder", "--out", "out/faces.pack"],
    "recipes": [],
    "doctor": [],
    "train": ["--recipe", "own-points", "--data", "missing", "--out", "out/run", "--epochs", "1"],
    "import-weights": ["{official}", "--out", "out/w.safetensors"],
    "make-300vw": ["out/made", "--data", "missing", "--videos", "1", "--frames", "3"],
    "eval-300vw": ["--data", "missing", "--out", "out/e"],
    "quantise": ["--data", "{points}", "--dataset", "folder", "--out", "out/q.onnx"],
    "calibrate": ["--data", "{points}", "--dataset", "folder", "--out", "out/c.onnx", "--weights", "{model}"],
    "render": ["out/faces", "--assets", "missing", "--count", "1"],
    "build-engine": ["--out", "out/model.plan"],
    "bench-engine": ["--data", "missing"],
    "bench-stability": ["--data", "missing"],
}  # fmt: skip
USUAL = ("track",) * 10
"""Is tried as often as most others together."""


def options_of(command: str) -> dict[str, bool]:
    """Name of each option → whether it takes a value."""
    import typer

    from startrack.commands.app import app

    parser = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    return {
        name: not getattr(option, "is_flag", False)
        for option in parser.params
        for name in option.opts
        if name.startswith("--") and name not in NEVER
    }


def random_command(rng: random.Random, files: dict[str, Path], options: dict[str, dict[str, bool]]) -> list[str]:
    """A command's words: its usual ones, some of them changed, left out or said again, and some options."""
    name = rng.choice((*USUAL, *COMMANDS))
    words = [word.format(**files) for word in COMMANDS[name]]
    values = (*NUMBERS, *WORDS, *PLACES, *map(str, files.values()))
    if words and rng.random() < 0.3:
        at = rng.randrange(len(words))
        if words[at] not in ("none", "--show", "--reconnect") and not words[at].startswith("-"):
            words[at] = rng.choice(values)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        if not options[name]:
            break
        option = rng.choice(list(options[name]))
        value = rng.choice(_likely(option, files) if rng.random() < 0.75 else values)
        new = [option] if not options[name][option] else rng.choice(([option, value], [f"{option}={value}"]))
        words = [*new, *words] if rng.random() < 0.3 else [*words, *new]
        if rng.random() < 0.1:
            words += new  # once more
    match rng.random():
        case chance if chance < 0.03:
            words.append(rng.choice(("--nonsense", "--he", "-x", "extra", "--", "-", "--=x", "-1", "--help=1")))
        case chance if chance < 0.05:
            words.append(rng.choice(list(options[name] or ["--help"])))  # without its value
        case chance if chance < 0.06:
            words.append(rng.choice(("--help", "-h")))
        case chance if chance < 0.07 and words:
            words.pop(rng.randrange(len(words)))
    return [name if rng.random() < 0.98 else rng.choice((*values, name.upper(), f"{name}s")), *words]


def _likely(option: str, files: dict[str, Path]) -> tuple[str, ...]:
    """Values of the kind that an option takes."""
    if any(word in option for word in ("weights", "model", "data", "assets", "init")):
        return (*map(str, files.values()), *PLACES)
    if any(word in option for word in ("video", "csv", "json", "parquet", "report", "summary", "out", "crops", "plot")):
        return PLACES
    return (*NUMBERS, *GOOD * 4)


def random_surroundings(rng: random.Random) -> dict[str, Any]:
    """What a program is started with: streams, a disk that is full, a language."""
    from tests.fuzz.starter import STREAMS

    found: dict[str, Any] = {}
    if rng.random() < 0.25:
        found |= {name: rng.choice(STREAMS) for name in ("stdout", "stderr")}
    if rng.random() < 0.2:
        found["stdin"] = rng.choice(("null", "closed", "zeros"))
    if rng.random() < 0.1:
        found["largest_file"] = rng.choice(SIZES)
    if rng.random() < 0.15:
        found["environment"] = rng.choice(ENVIRONMENTS)
    return found


def furnish(work: Path, files: dict[str, Path]) -> None:
    """A folder to work in, with what PLACES names."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "out").mkdir(parents=True)
    (work / "folder").mkdir()
    (work / "many").mkdir()
    for name in ("a.mp4", "b.mp4", "._c.mp4"):
        shutil.copy(files["video"], work / "many" / name) if files["video"].is_file() else None
    (work / "loop").symlink_to("loop")
    (work / "full").symlink_to("/dev/full")
    (work / "empty.mp4").touch()
    (work / "text.mp4").write_text("no video\n" * 100)
    bind_socket(work / "socket")
