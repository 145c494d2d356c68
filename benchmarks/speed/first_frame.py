"""Seconds from the start of `startrack track` to its first tracked frame: Python, models, source, detector, landmarks.

Each run is a fresh process that tracks only the beginning of the demo clip into a JSON Lines file, timed until it ends:
an upper bound, for the work after the first frame counts too. A first, uncounted run warms the disk's cache.

    python -m benchmarks.speed.first_frame
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.shared.processes import ROOT
from benchmarks.shared.record import RESULTS, write_result
from startrack.engines.zoo import DEFAULT_DETECTOR, zoo_path
from startrack.tracker.session.demo import make_demo_clip

END_S = 0.05


def run_once(clip: Path, out: Path) -> tuple[float, float, int]:
    """Wall and CPU seconds of one process, and how many faces it tracked in its first frame."""
    command = [sys.executable, str(ROOT / "cli.py"), "track", str(clip), "--jsonl", str(out), "--overwrite"]
    command += ["--end", str(END_S)]
    cpu, started = _children_cpu_s(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall_s, cpu_s = time.perf_counter() - started, _children_cpu_s() - cpu
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    first = next(line for line in lines if "faces" in line)
    return wall_s, cpu_s, len(first["faces"])


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--clip", type=Path, default=None, help="by default the demo clip")
    parser.add_argument("--out", type=Path, default=RESULTS / "first_frame.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startrack-first-") as folder:
        clip = args.clip or Path(folder) / "demo.mp4"
        if args.clip is None:
            make_demo_clip(clip, seconds=1)
        runs = [run_once(clip, Path(folder) / "faces.jsonl") for _ in range(1 + args.runs)][1:]
    walls, cpus, faces = zip(*runs, strict=True)
    figures = {
        "wall_s_median": median(walls),
        "wall_s_slowest": max(walls),
        "cpu_s_median": median(cpus),
        "runs": args.runs,
        "faces_in_first_frame": min(faces),
    }
    print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    write_result(args.out, figures, model=zoo_path(DEFAULT_DETECTOR))


if __name__ == "__main__":
    main()
