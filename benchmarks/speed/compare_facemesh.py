"""Our tracker against MediaPipe FaceMesh on the demo clip (720p, one face): time, memory, error against the motion.

Rounds of A B A B …, each run in a fresh process on one thread, so that a slow spell of the machine meets both; the
medians of all rounds are given, and of the rounds' ratios. Memory and points come from one more run of each, which
decodes as it goes: in the timed runs all frames are decoded beforehand.

    python -m benchmarks.speed.compare_facemesh --facemesh-python facemesh/bin/python
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.shared.processes import Run, run_facemesh, run_ours
from benchmarks.shared.record import RESULTS, write_result
from startrack.tracker.crop import transform_points
from startrack.tracker.session.bench import WARM_UP
from startrack.tracker.session.demo import FACE_CENTRE, KnownMotion, make_demo_clip, motion_error

FPS = 30
FACE_SIDE = 105.0
"""Of the portrait's face, brows to chin, in pixels of the portrait."""
OURS = {
    "startrack, 1 face": ("--max-faces", "1"),
    "startrack, default": (),
}
"""With the shipped detector: it looks once for one face, and every 15 frames by default, for up to 8."""
PEERS: dict[str, tuple[str, ...]] = {
    "FaceMesh": (),
    "FaceMesh refined": ("--refine",),
}


def first_box(motion: KnownMotion) -> str:
    """X,Y,W,H of the face in the first frame, from the known motion."""
    corners = np.array(FACE_CENTRE) + np.array([[-0.5], [0.5]]) * FACE_SIDE
    (left, top), (right, bottom) = transform_points(motion.affines[0], corners)
    return f"{left:.1f},{top:.1f},{right - left:.1f},{bottom - top:.1f}"


def time_all(clip: Path, args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """The reports of each contestant, one for each round."""
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in (*OURS, *PEERS)}
    common = ["--frames", str(args.frames), *(["--core", str(args.core)] if args.core is not None else [])]
    weights = ["--weights", str(args.weights)] if args.weights else []
    for round_number in range(args.rounds):
        for name in reports:
            if name in OURS:
                run = run_ours(clip, *common, *weights, *OURS[name])
            else:
                run = run_facemesh(args.facemesh_python, clip, *common, *PEERS[name])
            reports[name].append(run.report)
            print(f"round {round_number + 1}  {name:20} {run.report['cpu_ms']:7.2f} CPU ms per frame", flush=True)
    return reports


def follow_all(clip: Path, motion: KnownMotion, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Peak memory and error against the motion, from a run of each that decodes as it goes."""
    weights = ["--weights", str(args.weights)] if args.weights else []
    one = ["--stream", "--max-faces", "1", *weights]
    runs = {
        "startrack, 1 face": run_ours(clip, *one),
        "startrack, 1 face, box given": run_ours(clip, *one, "--box", first_box(motion)),
        "startrack, 1 face, no smoothing": run_ours(clip, *one, "--smooth", "none"),
        "startrack, default": run_ours(clip, "--stream", *weights),
        **{name: run_facemesh(args.facemesh_python, clip, "--stream", *options) for name, options in PEERS.items()},
    }
    return {name: _followed(run, motion) for name, run in runs.items()}


def _followed(run: Run, motion: KnownMotion) -> dict[str, Any]:
    assert run.points is not None
    return {"peak_memory_mb": run.report["peak_memory_mb"], "motion_error": asdict(motion_error(run.points, motion))}


def medians(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every time that the reports hold."""
    return {key: median(report[key] for report in reports) for key in reports[0] if "_ms" in key}


def ratios(reports: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Our CPU time over theirs: the median of the rounds, and each of them."""
    times = {}
    for ours in OURS:
        for peer in PEERS:
            pairs = zip(reports[ours], reports[peer], strict=True)
            each = [mine["cpu_ms"] / theirs["cpu_ms"] for mine, theirs in pairs]
            times[f"{ours} / {peer}"] = {"median": median(each), "rounds": each}
    return times


def print_table(figures: dict[str, Any]) -> None:
    print(f"\n{'':33}CPU ms  wall p50   p99   MB   error %  p95 %  lag")
    for name, followed in figures["followed"].items():
        times = " " * 22
        if timed := figures["timed"].get(name):
            times = f"{timed['cpu_ms']:6.2f}  {timed['wall_ms_p50']:8.2f} {timed['wall_ms_p99']:5.1f}"
        error = followed["motion_error"]
        print(
            f"{name:33}{times} {followed['peak_memory_mb']:5.0f} {error['mean_percent']:8.2f} "
            f"{error['p95_percent']:6.2f} {error['lag_frames']:5.2f}"
        )
    for name, ratio in figures["cpu_ratio"].items():
        print(f"{name:45} {ratio['median']:.3f}   ({min(ratio['rounds']):.3f} … {max(ratio['rounds']):.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--facemesh-python", type=Path, required=True, help="Python with mediapipe 0.10.21")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=300, help="frames to time in each run, after the warm-up")
    parser.add_argument("--core", type=int, help="keep every process on this core")
    parser.add_argument("--weights", type=Path, default=None, help="landmark model; by default the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS / "facemesh_720p.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startrack-clip-") as folder:
        clip = Path(folder) / "demo.mp4"
        motion = make_demo_clip(clip, seconds=(WARM_UP + args.frames) / FPS, fps=FPS)
        reports = time_all(clip, args)
        followed = follow_all(clip, motion, args)
    figures = {
        "clip": {"frames": len(motion.affines), "fps": FPS, "width": 1280, "height": 720, "warm_up": WARM_UP},
        "rounds": args.rounds,
        "facemesh_versions": reports["FaceMesh"][0]["versions"],
        "timed": {name: medians(each) for name, each in reports.items()},
        "cpu_ms_of_rounds": {name: [report["cpu_ms"] for report in each] for name, each in reports.items()},
        "cpu_ratio": ratios(reports),
        "followed": followed,
    }
    print_table(figures)
    write_result(args.out, figures, model=args.weights)


if __name__ == "__main__":
    main()
