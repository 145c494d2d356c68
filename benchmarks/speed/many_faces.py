"""Many faces in a 720p picture: the tracker's CPU time, that of each further face, and frames per second all in.

    python -m benchmarks.speed.many_faces data/300w

Held-back faces sway in rows, none hides another. The tracker alone runs on one thread with all frames decoded; the
whole way is `startrack track` on two cores, from the compressed clip to its outputs, starting and loading excluded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.shared.processes import ROOT, run_ours
from benchmarks.shared.record import RESULTS, write_result
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.session.bench import WARM_UP
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from startrack.tracker.video.write import write_h264
from startrack.train.motion.crowd import FPS, standing_crowd
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import Sample

GATHERINGS = {1: (1, 1), 2: (1, 2), 4: (2, 2), 8: (2, 4)}
"""Faces → rows and columns."""
CORES = 2
OUTPUTS = {"landmarks": ("--jsonl",), "landmarks and video": ("--jsonl", "--save-video")}


@dataclass(frozen=True, slots=True)
class WholeWay:
    """A clip from the compressed file to the outputs."""

    fps: float
    faces_per_frame: float
    cpu_ms: float
    """Of all threads, per frame; loading included."""


def write_clip(path: Path, samples: list[Sample], faces: int, frames: int) -> None:
    """A clip of so many moving faces."""
    rows, columns = GATHERINGS[faces]
    scene = standing_crowd(samples, seed=faces, rows=rows, columns=columns, seconds=frames / FPS)
    height, width = scene.background.shape[:2]
    write_h264(path, (frame.image for frame in scene.frames()), fps=FPS, size=(width, height), crf=20)


def whole_way(clip: Path, folder: Path, outputs: tuple[str, ...], weights: Path) -> WholeWay:
    """`startrack track` in a process of its own, kept on two cores."""
    summary, lines = folder / "summary.json", folder / "faces.jsonl"
    files = {"--jsonl": lines, "--save-video": folder / "faces.mp4"}
    named = [part for option in outputs for part in (option, str(files[option]))]
    command = [sys.executable, "cli.py", "track", str(clip), "--weights", str(weights), "--summary", str(summary)]
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    before = os.times()
    subprocess.run(
        [*command, *named, "--overwrite", "--show", "none"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    after = os.times()
    done = json.loads(summary.read_text(encoding="utf-8"))
    faces = sum(len(recorded.faces) for recorded in read_jsonl(lines))
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return WholeWay(done["fps"], faces / done["frames"], 1e3 * cpu_s / done["frames"])


def measure(samples: list[Sample], faces: int, frames: int, weights: Path, folder: Path) -> dict[str, Any]:
    clip = folder / f"{faces}.mp4"
    write_clip(clip, samples, faces, WARM_UP + frames)
    alone = run_ours(clip, "--frames", str(frames), "--weights", str(weights)).report
    ways = {name: whole_way(clip, folder, outputs, weights) for name, outputs in OUTPUTS.items()}
    print(f"{faces} faces: {alone['cpu_ms']:.2f} CPU ms a frame ({alone['faces_per_frame']:.2f} found)", flush=True)
    for name, way in ways.items():
        print(f"   {name:20} {way.fps:6.1f} fps, {way.cpu_ms:.1f} CPU ms a frame", flush=True)
    return {"tracker": alone, **{name: asdict(way) for name, way in ways.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--frames", type=int, default=150, help="frames to time, after the warm-up")
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS))
    parser.add_argument("--out", type=Path, default=RESULTS / "many_faces.json")
    args = parser.parse_args()
    samples = ibug_300w.load(args.root, "validation")
    with tempfile.TemporaryDirectory(prefix="startrack-faces-") as folder:
        result = {
            faces: measure(samples, faces, args.frames, args.weights.resolve(), Path(folder)) for faces in GATHERINGS
        }
    most = max(GATHERINGS)
    further_ms = (result[most]["tracker"]["cpu_ms"] - result[1]["tracker"]["cpu_ms"]) / (most - 1)
    print(f"each further face: {further_ms:.2f} CPU ms")
    write_result(args.out, {"further_face_cpu_ms": further_ms, "faces": result}, model=args.weights)


if __name__ == "__main__":
    main()
