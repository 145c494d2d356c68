"""Our tracker and FaceMesh on a clip, each in a fresh process: the parts of the comparisons."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The answer of one process."""

    report: dict[str, Any]
    """Its JSON: milliseconds per frame, or frames, missed and peak_memory_mb."""
    points: NDArray[np.float64] | None
    """(T, 68, 2) frame pixels, nan without a face; None where only times were asked for."""


def run_ours(clip: Path, *options: str) -> Run:
    """benchmarks/shared/run_tracker.py in this environment."""
    return _run([sys.executable, "-m", "benchmarks.shared.run_tracker", str(clip), *options])


def run_facemesh(python: Path, clip: Path, *options: str) -> Run:
    """benchmarks/shared/peer_facemesh.py in the environment of `python`."""
    return _run([str(python), str(ROOT / "benchmarks/shared/peer_facemesh.py"), str(clip), *options])


def facemesh_on(python: Path, pictures: Sequence[Path], *options: str) -> NDArray[np.float64]:
    """(N, 68, 2) pixels of the face that FaceMesh finds in each picture; NaN where it finds none."""
    with tempfile.TemporaryDirectory(prefix="startrack-faces-") as folder:
        for number, path in enumerate(pictures):
            (Path(folder) / f"{number:06}{path.suffix}").symlink_to(path.resolve())
        points = run_facemesh(python, Path(folder), "--static", "--stream", *options).points
    assert points is not None
    assert len(points) == len(pictures)
    return points


def _run(command: list[str]) -> Run:
    with tempfile.TemporaryDirectory(prefix="startrack-bench-") as folder:
        out = Path(folder) / "run"
        done = subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        report = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        saved = out.with_suffix(".npz")
        points = np.load(saved)["points"] if saved.exists() else None
    return Run(report, points)
