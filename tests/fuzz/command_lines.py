"""Random command lines: known options with good and bad values, on good files."""

from __future__ import annotations

import random
from pathlib import Path

VALUES = (
    "0", "1", "-1", "2", "0.5", "1e999", "nan", "", "x", "a,b", "9" * 30, "-", ".", "missing.mp4", "out/new.json",
    "../seeds", "\x1b[31mred", "100000", "kalman", "none", "l", "train", "/dev/null", "\udcff.mp4", "名",
)  # fmt: skip
NEVER = {
    "--show", "--web-port", "--web-host", "--list-devices", "--virtual-camera", "--dask", "--jobs", "--osc", "--vmc",
    "--openseeface", "--engine", "--device", "--reconnect", "--workers", "--compile", "--threads",
}  # fmt: skip
"""Windows, sockets and processes: tests of their own have them."""
COMMANDS: dict[str, list[str]] = {
    "track": ["{video}", "--show", "none", "--end", "0.2"],
    "bench": ["{video}", "--frames", "2"],
    "export": ["--weights", "{weights}", "--out", "out/model.onnx"],
    "evaluate": ["--data", "{points}", "--dataset", "folder", "--split", "train"],
    "pack": ["--data", "{points}", "--dataset", "folder", "--out", "out/faces.pack"],
    "recipes": [],
    "train": ["--recipe", "own-points", "--data", "missing", "--out", "out/run", "--epochs", "1"],
    "import-weights": ["{official}", "--out", "out/w.safetensors"],
    "make-300vw": ["--data", "missing", "--out", "out/made", "--videos", "1", "--frames", "2"],
    "eval-300vw": ["--data", "missing", "--out", "out/e"],
    "quantise": ["--data", "{points}", "--dataset", "folder", "--out", "out/q.onnx"],
    "calibrate": ["--data", "{points}", "--dataset", "folder", "--out", "out/c.onnx", "--weights", "{model}"],
}  # fmt: skip


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
    """A command's words: its usual ones, some of them changed or left out, and up to three options."""
    name = rng.choice(list(COMMANDS))
    words = [word.format(**files) for word in COMMANDS[name]]
    values = (*VALUES, *map(str, files.values()))
    if words and rng.random() < 0.3:
        at = rng.randrange(len(words))
        if words[at] not in ("none", "--show") and not words[at].startswith("-"):
            words[at] = rng.choice(values)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        if not options[name]:
            break
        option = rng.choice(list(options[name]))
        words += [option, rng.choice(values)] if options[name][option] else [option]
    if rng.random() < 0.03:
        words.append(rng.choice(("--nonsense", "--he", "-x", "extra")))
    return [name if rng.random() < 0.98 else rng.choice(values), *words]
