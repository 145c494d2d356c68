"""Every smoother on the raw landmarks of real clips: torn points, delay, remaining jitter.

    python -m benchmarks.motion.real_smoothing data/traces --plot docs/real_smoothing.svg

A trace is an .npz with frame, time_s, id, points (T, 68, 2), covariance (T, 68, 3) as xx, xy, yy, and presence, a row
per face and frame; any other file, and each one in a folder that holds no trace, is tracked unsmoothed first. Of each
clip the face that is followed longest is measured (tracker.metrics.faithfulness).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.metrics.faithfulness import Faithfulness, faithfulness
from startrack.tracker.pipeline import track_frames
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.smooth import all_smoothers, late_smoother_of
from startrack.tracker.smooth.base import MakeLateSmoother
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import Landmarks
from startrack.tracker.video.source import open_source
from startrack.train.video_evaluation.results import nan_to_none

CROP_SCALE = 1.25
"""Side of the crop over the larger side of the landmarks' box."""
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
NAN = float("nan")
BASELINE: dict[str, tuple[float, ...]] = {
    "film_profile_and_cuts": (69, 18.7, NAN, 3.5, 4.0, 0.27, 0.30),
    "glasses_blinks_and_cuts": (14, 4.2, 23, 0.75, 1.65, NAN, NAN),
    "grimaces": (16, 5.1, 5, 0.35, 0.60, 0.80, 0.86),
    "head_snaps_round": (92, 26.1, NAN, 0.60, 2.45, NAN, 0.33),
    "mouth": (7, 3.2, 4, 1.25, 0.55, 0.44, 0.49),
    "speaker_turning": (53, 12.8, NAN, 0.50, 0.85, NAN, 1.68),
}
"""Away max, fold, lids, lag of mouth and eyes, jitter of rigid points and of all, of the Kalman smoother at commit
1b1bf62."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The face of a clip that is followed longest."""

    name: str
    frames: list[int]
    times_s: list[float]
    landmarks: list[Landmarks]


def read_trace(path: Path) -> Clip:
    with np.load(path, allow_pickle=False) as trace:
        ids, counts = np.unique(trace["id"], return_counts=True)
        rows = np.flatnonzero(trace["id"] == ids[counts.argmax()])
        covariance = trace["covariance"][rows][..., [0, 1, 1, 2]].reshape(len(rows), -1, 2, 2).astype(float)
        points, presence = trace["points"][rows].astype(float), trace["presence"][rows].astype(float)
        frames, times_s = trace["frame"][rows].tolist(), trace["time_s"][rows].tolist()
    score = np.ones(points.shape[1])
    marks = [Landmarks(*each[:2], score, float(each[2])) for each in zip(points, covariance, presence, strict=True)]
    return Clip(path.stem, frames, times_s, marks)


def read_clip(path: Path) -> Clip:
    """Track a video without smoothing. Raises SystemExit where it holds no face."""
    faces: dict[int, list[tuple[int, float, Landmarks]]] = {}
    with (
        load_engine(zoo_path(DEFAULT_LANDMARKS), "cpu", threads=1) as engine,
        ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect,
        open_source(str(path)) as video,
    ):
        for tracked in track_frames(video, detect, engine, make_smoother=NoSmoothing):
            for track in tracked.tracks:
                row = (tracked.frame.index, tracked.frame.time_s, track.landmarks)
                faces.setdefault(track.id, []).append(row)
    if not faces:
        raise SystemExit(f"{path}: no face in it")
    frames, times_s, marks = zip(*max(faces.values(), key=len), strict=True)
    return Clip(path.stem, list(frames), list(times_s), list(marks))


def read_clips(paths: list[Path]) -> Iterator[Clip]:
    for path in paths:
        traces = sorted(path.glob("*.npz")) if path.is_dir() else []
        for file in traces or (sorted(path.iterdir()) if path.is_dir() else [path]):
            yield read_trace(file) if file.suffix == ".npz" else read_clip(file)


def measure(clip: Clip, make_smoother: MakeLateSmoother) -> Faithfulness:
    smoother, smoothed = make_smoother(IBUG_68), []
    for time_s, marks in zip(clip.times_s, clip.landmarks, strict=True):
        side = CROP_SCALE * float(np.ptp(marks.points, axis=0).max())
        smoothed += smoother.push(marks, time_s, side)
    smooth = np.array([each.points for each in [*smoothed, *smoother.flush()]])
    return faithfulness(np.array([marks.points for marks in clip.landmarks]), smooth, clip.frames)


def figures(measures: Faithfulness) -> tuple[float, ...]:
    """In the order of BASELINE."""
    return (
        measures.away_max_percent, measures.fold_max_percent, measures.lids_percent, measures.mouth_lag_frames,
        measures.eye_lag_frames, measures.jitter_steady_percent, measures.jitter_all_percent,
    )  # fmt: skip


def line(name: str, smoother: str, values: tuple[float, ...]) -> str:
    return f"{name:28} {smoother:12} " + " ".join(f"{value:7.2f}" for value in values)


def plot(results: dict[str, dict[str, Faithfulness]], path: Path) -> None:
    """Jitter over lag, a curve per smoother from weak to strong, means over the clips that show them."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6, 4))
    curves: dict[str, list[tuple[float, float]]] = {}
    for name in next(iter(results.values())):
        curve, _, strength = name.partition("@")
        if strength:
            measured = [clip[name] for clip in results.values()]
            lags = [lag for each in measured for lag in (each.mouth_lag_frames, each.eye_lag_frames)]
            ratios = [each.jitter_all_percent / each.raw_jitter_all_percent for each in measured]
            curves.setdefault(curve, []).append((float(np.nanmean(lags)), float(np.nanmean(ratios))))
    for name, points in curves.items():
        axis.plot(*zip(*points, strict=True), marker="o", label=name)
    axis.set(xlabel="lag of mouth and eyes, frames", ylabel="jitter over that of the raw points")
    axis.legend()
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+", help="traces, videos, or folders of either")
    parser.add_argument("--plot", type=Path, help="file of the plot of jitter over lag")
    parser.add_argument("--out", type=Path, default=RESULTS / "real_smoothing.json")
    args = parser.parse_args()
    smoothers = all_smoothers()
    for name, frames in (("kalman", 0), ("look-ahead", 5), ("one-euro", 0)):
        base = "kalman" if frames else name
        smoothers |= {f"{name}@{strength:g}": late_smoother_of(base, frames, strength) for strength in STRENGTHS}
    print(f"{'':41} {'away':>7} {'fold':>7} {'lids':>7} {'mouth':>7} {'eyes':>7} {'jitter':>7} {'all':>7}")
    results: dict[str, dict[str, Faithfulness]] = {}
    for clip in read_clips(args.clips):
        results[clip.name] = {name: measure(clip, make) for name, make in smoothers.items()}
        if clip.name in BASELINE:
            print(line(clip.name, "before", BASELINE[clip.name]))
        for name in all_smoothers():
            print(line(clip.name, name, figures(results[clip.name][name])), flush=True)
    if args.plot:
        plot(results, args.plot)
    content: dict[str, Any] = {
        clip: {name: asdict(measures) for name, measures in each.items()} for clip, each in results.items()
    }
    write_result(args.out, {"figures": nan_to_none(content)}, model=None)


if __name__ == "__main__":
    main()
