"""Milliseconds per face of the landmark model on one thread of ONNX Runtime, on crops from the demo clip.

The crops are cut as the tracker cuts them, by the model's own readings; one crop in a run, and four. Frames of a
video come one after the other, so each run gets other crops. The time to load is separate.

    python -m benchmarks.speed.latency_per_face
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from benchmarks.speed.compare_facemesh import first_box
from startrack.engines import load_engine
from startrack.engines.base import CropArray, Engine
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.cut import cut_for
from startrack.tracker.detect.fixed_detector import FixedDetector, parse_box
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.session.demo import make_demo_clip
from startrack.tracker.video.source import read_video

WARM_UP = 30
LOADS = 5


def demo_crops(engine: Engine, count: int) -> CropArray:
    """(T, S, S, 3) the crops that the tracker reads in the first `count` frames of the demo clip."""
    crops = []
    with tempfile.TemporaryDirectory(prefix="startrack-clip-") as folder:
        clip = Path(folder) / "demo.mp4"
        motion = make_demo_clip(clip, seconds=count / 30)
        with read_video(clip) as video:
            detect = FixedDetector(parse_box(first_box(motion), video.info.width, video.info.height))
            for tracked in track_frames(video, detect, engine, options=TrackerOptions(max_faces=1)):
                crops.append(cut_for(engine.spec, tracked.frame.image, [face.roi for face in tracked.tracks]).crops)
    return np.concatenate(crops)


def latency(engine: Engine, crops: CropArray, *, batch: int, runs: int) -> dict[str, Any]:
    """Per face: percentiles of the wall time of `runs` runs after a warm-up, and the mean CPU time."""
    wall_ms, cpu_ms = [], []
    for run in range(WARM_UP + runs):
        chosen = crops[np.arange(run * batch, (run + 1) * batch) % len(crops)]
        wall, cpu = time.perf_counter(), time.process_time()
        engine(chosen)
        cpu_ms.append(1e3 * (time.process_time() - cpu) / batch)
        wall_ms.append(1e3 * (time.perf_counter() - wall) / batch)
    p50, p90, p99 = np.percentile(wall_ms[WARM_UP:], [50, 90, 99])
    cpu = float(np.mean(cpu_ms[WARM_UP:]))
    return {"wall_ms_p50": float(p50), "wall_ms_p90": float(p90), "wall_ms_p99": float(p99), "cpu_ms": cpu}


def load_ms(path: Path) -> list[float]:
    """Of each of LOADS loads of the model, the first with the import of ONNX Runtime."""
    times = []
    for _ in range(LOADS):
        started = time.perf_counter()
        load_engine(path, "cpu", threads=1).close()
        times.append(1e3 * (time.perf_counter() - started))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=500, help="runs to time, after 30 to warm up")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="crops in one run")
    parser.add_argument("--weights", type=Path, default=None, help="landmark model; by default the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS / "latency_per_face.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    path = args.weights or zoo_path(DEFAULT_LANDMARKS)
    loads = load_ms(path)
    with load_engine(path, "cpu", threads=1) as engine:
        crops = demo_crops(engine, 240)
        per_face = {f"batch {batch}": latency(engine, crops, batch=batch, runs=args.runs) for batch in args.batches}
    for name, figures in per_face.items():
        print(f"{name}: " + "  ".join(f"{key} {value:.2f}" for key, value in figures.items()) + "  per face")
    print(f"load: {loads[0]:.0f} ms with the import of ONNX Runtime, {median(loads[1:]):.0f} ms again")
    figures = {
        "runs": args.runs,
        "crops": len(crops),
        "per_face": per_face,
        "load_ms": {"first, with imports": loads[0], "median of the others": median(loads[1:])},
    }
    write_result(args.out, figures, model=path)


if __name__ == "__main__":
    main()
