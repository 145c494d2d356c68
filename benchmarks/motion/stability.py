"""Error, jitter and delay against smoothing strength on faces set in motion: our smoothers and MediaPipe FaceMesh.

Each clip is tracked once by ours and once by FaceMesh, without smoothing; every smoother at every strength is then
tried on the recording. MediaPipe's own smoother, that of its Tasks API, is the 1€ filter with .05 Hz, 80 and 1 Hz
and the face's mean side as its unit (face_landmarks_detector_graph.cc); the legacy FaceMesh that is measured here
comes without it, so it is added.

    python -m benchmarks.motion.stability --data data/300w --split common --facemesh-python facemesh/bin/python \\
        --plots docs
    python -m benchmarks.motion.stability --rendered ASSETS --scenario turn blink speech --facemesh-python …
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.processes import run_facemesh
from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.smooth import all_smoothers, late_smoother_of
from startrack.tracker.smooth.base import MakeLateSmoother
from startrack.train.motion.benchmark import (
    Figures,
    Filmed,
    MakeClip,
    figures,
    film,
    follow,
    still_faces,
    table,
    to_json,
)
from startrack.train.motion.clips import choose_faces
from startrack.train.motion.head_path import Float64Array
from startrack.train.motion.recording import Recording, replay
from startrack.train.motion.rendered_clips import RENDERED_SCENARIOS, rendered_faces
from startrack.train.report.stability_plot import plot_curves
from startrack.train.sets import DATASETS
from startrack.train.synthetic.head.assets import load_assets
from startrack.train.synthetic.studio import make_studio

STRENGTHS = (0.03, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
BETA = 80.0
BETAS = (640.0, 320.0, 160.0, 80.0, 40.0, 20.0, 10.0)
SCENARIO_NAMES = ("still", "slow", "walk", "fast", "shake", "blink", "mouth", "speech")

Results = dict[str, dict[str, list[Figures]]]


def curve(name: str, frames: int, strengths: tuple[float, ...]) -> dict[str, MakeLateSmoother]:
    """One smoother at several strengths, by name@strength."""
    shown = "look-ahead" if frames else name
    return {f"{shown}@{strength:g}": late_smoother_of(name, frames, strength) for strength in strengths}


def ours() -> dict[str, MakeLateSmoother]:
    """By name; a strength is what follows the @."""
    late = {**curve("kalman", 0, STRENGTHS), **curve("kalman", 5, STRENGTHS)}
    return {**all_smoothers(), **late, **curve("one-euro", 0, tuple(BETA / beta for beta in BETAS))}


def theirs() -> dict[str, MakeLateSmoother]:
    plain = {"FaceMesh": late_smoother_of("none", 0), "FaceMesh smoothed": late_smoother_of("one-euro", 0)}
    return {**plain, **{f"FaceMesh@{beta:g}": late_smoother_of("one-euro", 0, BETA / beta) for beta in BETAS}}


def facemesh_recording(filmed: Filmed, points: Float64Array) -> Recording:
    """FaceMesh's landmarks as a recording; the side is MediaPipe's object size, the mean of width and height."""
    count, landmarks = points.shape[:2]
    seen = np.isfinite(points).all(axis=(1, 2))
    return Recording(
        points=points,
        covariance=np.tile(np.eye(2), (count, landmarks, 1, 1)),
        score=np.ones((count, landmarks)),
        presence=seen.astype(float),
        side=np.ptp(points, axis=1).mean(axis=-1),
        ids=np.where(seen, 0.0, np.nan),
        times_s=filmed.clip.times_s,
    )


def measure(filmed: Filmed, recording: Recording, smoothers: dict[str, MakeLateSmoother], into: Results) -> None:
    for name, make_smoother in smoothers.items():
        points = replay(recording, make_smoother)
        measures = figures(points, filmed, unsmoothed=recording.points, ids=recording.ids)
        into.setdefault(name, {}).setdefault(filmed.scenario.name, []).append(measures)


def run(args: argparse.Namespace, folder: Path) -> Results:
    results: Results = {}
    with (
        load_engine(args.weights or zoo_path(DEFAULT_LANDMARKS), "cpu", threads=1) as engine,
        ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect,
    ):
        for filmed in film(faces(args), [RENDERED_SCENARIOS[name] for name in args.scenario], folder, seed=args.seed):
            measure(filmed, follow(filmed, detect, engine), ours(), results)
            print(filmed.clip.name, flush=True)
            if args.facemesh_python is None:
                continue
            peer = run_facemesh(args.facemesh_python, filmed.path, "--stream").points
            assert peer is not None
            measure(filmed, facemesh_recording(filmed, peer), theirs(), results)
    return results


def faces(args: argparse.Namespace) -> list[MakeClip]:
    """Photos set in motion, or rendered heads."""
    if args.rendered:
        return rendered_faces(make_studio(load_assets(args.rendered)), args.faces, args.seed)
    return still_faces(choose_faces(DATASETS["300w"](args.data, args.split), args.faces), args.seed)


def earlier_facemesh(path: Path, clips: dict[str, Any]) -> dict[str, Any]:
    """FaceMesh's figures from a result of this benchmark. Raises SystemExit if it is of other clips."""
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if {"rendered": False} | earlier["clips"] != clips:
        raise SystemExit(f"{path}: clips {earlier['clips']}, expected {clips}")
    return {name: figures for name, figures in earlier["figures"].items() if name.startswith("FaceMesh")}


def curves(measures: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, list[dict[str, float]]]]:
    """scenario → smoother → the figures of each strength, from weak to strong."""
    drawn: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name, scenarios in measures.items():
        curve, _, strength = name.partition("@")
        for scenario, means in scenarios.items():
            if strength:
                drawn.setdefault(scenario, {}).setdefault(curve, []).append(means)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of 300W")
    source.add_argument("--rendered", type=Path, help="folder of assets: heads in three dimensions instead of photos")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--faces", type=int, default=3)
    parser.add_argument("--scenario", nargs="+", choices=RENDERED_SCENARIOS, default=SCENARIO_NAMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=Path, help="folder that keeps the clips; those in it are used again")
    peer = parser.add_mutually_exclusive_group(required=True)
    peer.add_argument("--facemesh-python", type=Path, help="Python with mediapipe 0.10.21")
    peer.add_argument("--facemesh-from", type=Path, help="result whose figures of FaceMesh are kept: of the same clips")
    parser.add_argument("--weights", type=Path, default=None, help="landmark model; by default the shipped one")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--out", type=Path, default=RESULTS / "stability.json")
    args = parser.parse_args()
    clips = {
        "rendered": args.rendered is not None,
        "split": args.split,
        "faces": args.faces,
        "seed": args.seed,
        "scenarios": list(args.scenario),
    }
    kept = earlier_facemesh(args.facemesh_from, clips) if args.facemesh_from else {}
    with tempfile.TemporaryDirectory(prefix="startrack-motion-") as temporary:
        results = run(args, args.clips or Path(temporary))
    named = {name: scenarios for name, scenarios in results.items() if "@" not in name}
    print(table(named))
    content: dict[str, Any] = to_json(results) | kept
    if args.plots:
        plot_curves(curves(content), args.plots / "smoothing.svg")
    write_result(args.out, {"clips": clips, "figures": content}, model=args.weights)


if __name__ == "__main__":
    main()
