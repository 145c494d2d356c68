"""The eye model: lids, iris, gaze and openness on held-back renders, real faces and made blinks, and its time.

    python -m benchmarks.accuracy.eyes data/300w --rendered runs/faces --iris-labels irises.jsonl

Rendered: every tenth identity, or all of a folder that no training saw (--unseen), by the head's turn and with glasses,
from crops as far off as a landmark model's.
Real: 300W's validation faces, whose eyes the landmark model finds; their irises are MediaPipe's, a peer's opinion.
Blinks: the made scenario `blink` (train/motion/clips.py), depth of the lids' opening over the truth's, unsmoothed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.record import RESULTS, described, write_result
from benchmarks.shared.refined_eyes import Floats, fused, refine
from startrack.engines import load_detector, load_engine, load_eyes
from startrack.engines.base import Engine
from startrack.engines.eyes import EyeEngine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.crop import roi_from_points
from startrack.tracker.cut import cut_for
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.metrics.quietness import mean_blink, onset_frames
from startrack.tracker.signals.expression import openings_of
from startrack.tracker.video.source import read_video
from startrack.train.feed.eye_dataset import EyeDataset
from startrack.train.motion.benchmark import Filmed, film, follow, still_faces
from startrack.train.motion.clips import SCENARIOS, choose_faces
from startrack.train.recipes.eyes import FOLLOWED
from startrack.train.sets import ibug_300w
from startrack.train.sets.eyes import rendered_eyes
from startrack.train.sets.eyes.eye_truth import lid_ratio
from startrack.train.sets.eyes.iris_labels import IrisLabels, label_of, read_iris_labels
from startrack.train.sets.eyes.real_eyes import OPEN_RATIO
from startrack.train.sets.sample import Sample
from startrack.train.validation.eye_calibration import coverage
from startrack.train.validation.eye_validation import EyeErrors, eye_figures, read_errors

TURNS_DEG = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 90))
SHUT = 0.3
"""True openness below which an eye counts as shut."""
LENGTH = 10
"""Frames of a blink, from two before it begins."""
EYE_LANDMARKS = range(36, 48)


def chosen(errors: EyeErrors, rows: NDArray[np.bool_]) -> EyeErrors:
    """The errors of some eyes."""
    return EyeErrors(**{name: getattr(errors, name)[rows] for name in EyeErrors.__slots__})


def rendered_figures(errors: EyeErrors) -> dict[str, float]:
    """Of some eyes, neighbours being of one face. Eyes that something covers count for the visibility alone."""
    both, covered = gaze_of_both(errors), eye_figures(errors)["visible_right_percent"]
    errors = chosen(errors, errors.lids_seen)
    shut = errors.true_openness < SHUT
    depth = (1 - errors.openness - errors.true_openness)[shut].mean() / (1 - errors.true_openness[shut]).mean()
    gaze = errors.gaze_deg[np.isfinite(errors.gaze_deg)]
    return {
        "eyes": float(len(errors.turn_deg)),
        **eye_figures(errors),
        "visible_right_percent": covered,
        "gaze_of_both_eyes_deg": float(np.median(both)) if len(both) else float("nan"),
        "gaze_90_percent_deg": float(np.quantile(gaze, 0.9)) if len(gaze) else float("nan"),
        "shut_eyes": float(shut.sum()),
        "depth_of_shut_eyes": float(depth) if shut.any() else float("nan"),
    }


def gaze_of_both(errors: EyeErrors) -> Floats:
    """Errors in degrees of faces whose irises can both be seen: the mean of both eyes' directions by their variances,
    whose true ones are parallel. Eyes of a face are neighbours."""
    weight = np.where(np.isfinite(errors.gaze_deg), errors.gaze_spread**-2.0, np.nan).reshape(-1, 2)
    offset = (weight[..., None] * errors.gaze_offset.reshape(-1, 2, 3)).sum(axis=1) / weight.sum(axis=1)[:, None]
    length = np.linalg.norm(offset[np.isfinite(weight).all(axis=1)], axis=1)
    return np.rad2deg(2 * np.arcsin(np.clip(length / 2, 0, 1)))


def rendered(engine: EyeEngine, folder: Path, split: str) -> dict[str, dict[str, float]]:
    """Group of rendered eyes of a split → figures."""
    data = EyeDataset(rendered_eyes.load(folder, split), engine.spec, changes=FOLLOWED)
    errors = read_errors(engine, data)
    turn = np.abs(errors.turn_deg)
    groups = {f"turn {low}–{high}°": (turn >= low) & (turn < high) for low, high in TURNS_DEG}
    groups |= {"to 45°": turn < 45, "to 45°, with glasses": (turn < 45) & errors.glasses, "all": turn < 181}
    found = {name: rendered_figures(chosen(errors, rows)) for name, rows in groups.items() if rows.any()}
    lids, iris = coverage(errors.squared[:, :-1]), coverage(errors.squared[:, -1])
    held = {"lids": lids, "iris": iris, "gaze": coverage(errors.gaze_squared)}
    found["coverage"] = {f"{name} {level}": value for name, each in held.items() for level, value in each.items()}
    return found


def real(engine: EyeEngine, landmarks: Engine, faces: Sequence[Sample], labels: IrisLabels) -> dict[str, float]:
    """NME of 36 to 47 with and without the eye model, in % of the eye distance, and the distance of irises to the
    peer's on open eyes."""
    errors: dict[str, list[float]] = {"landmarks": [], "eyes": [], "fused": []}
    irises: list[float] = []
    for sample in faces:
        image = sample.read_image()
        cut = cut_for(landmarks.spec, image, [roi_from_points(sample.landmarks, landmarks.spec.crop_scale)])
        batch = landmarks(cut.crops)
        points, covariance = cut.points_back(batch.points)[0], cut.covariance_back(batch.covariance)[0]
        eyes = refine(engine, image, points)
        unit = float(np.linalg.norm(sample.landmarks[45] - sample.landmarks[36]))
        ways = {"landmarks": points, "eyes": eyes.points, "fused": fused(points, covariance, eyes)}
        for name, found in ways.items():
            errors[name].append(100 * _distance(found, sample.landmarks) / unit)
        irises += _iris_distances(eyes.iris, sample, labels, unit)
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    return {
        "faces": float(len(faces)),
        **{f"nme_36_47_{name}": value for name, value in means.items()},
        "gain_percent_eyes": 100 * (1 - means["eyes"] / means["landmarks"]),
        "gain_percent_fused": 100 * (1 - means["fused"] / means["landmarks"]),
        "open_eyes": float(len(irises)),
        "iris_to_peer_percent_median": float(np.median(irises)) if irises else float("nan"),
        "iris_to_peer_percent_90": float(np.quantile(irises, 0.9)) if irises else float("nan"),
    }


def _distance(points: Floats, truth: NDArray[np.floating]) -> float:
    eyes = list(EYE_LANDMARKS)
    return float(np.linalg.norm(points[eyes] - truth[eyes], axis=1).mean())


def _iris_distances(iris: Floats, sample: Sample, labels: IrisLabels, unit: float) -> list[float]:
    """Of the open eyes of a face that the peer found."""
    label = label_of(labels, sample.name, sample.landmarks)
    if label is None:
        return []
    lids = (sample.landmarks[36:42], sample.landmarks[42:48])
    ratios = [lid_ratio(one) for one in lids]
    return [
        100 * float(np.linalg.norm(iris[side] - label.iris[side])) / unit
        for side in (0, 1)
        if ratios[side] > OPEN_RATIO
    ]


def blink(engine: EyeEngine, filmed: Filmed, landmarks: Engine, detect: ZooDetector) -> dict[str, float]:
    """Depth and delay of a clip's mean blink by each way of reading it, means of both eyes."""
    recording = follow(filmed, detect, landmarks)
    ways: dict[str, list[Floats]] = {"landmarks": [], "lids": [], "openness": []}
    with read_video(filmed.path) as video:
        for frame, points in zip(video, recording.points, strict=True):
            eyes = refine(engine, frame.image, points)
            ways["landmarks"].append(openings_of(points))
            ways["lids"].append(openings_of(eyes.points))
            ways["openness"].append(np.asarray(eyes.batch.openness, np.float64))
    amplitude = filmed.clip.amplitudes[:, 0]
    begins = np.flatnonzero((amplitude[1:] > 0) & (amplitude[:-1] == 0)) - 1
    truth = _closing([openings_of(points) for points in filmed.clip.landmarks], begins)
    figures: dict[str, float] = {}
    for name, values in ways.items():
        pairs = list(zip(_closing(values, begins), truth, strict=True))
        figures[f"depth_{name}"] = float(np.mean([mine.max() / real.max() for mine, real in pairs]))
        figures[f"frames_late_{name}"] = float(
            np.mean([onset_frames(mine) - onset_frames(real) for mine, real in pairs])
        )
    return figures


def _closing(opened: Sequence[Floats], begins: NDArray[np.intp]) -> list[Floats]:
    """Each eye's mean blink: 1 less its opening over that of the first second."""
    values = np.array(opened)
    return [mean_blink(row, begins, LENGTH) for row in (1 - values / np.median(values[:30], axis=0)).T]


def milliseconds(engine: EyeEngine, runs: int = 500) -> dict[str, float]:
    """Of both eyes on one thread: the quickest twentieth of the runs, which other processes disturb least, and the
    median."""
    spec = engine.spec
    crops = np.random.default_rng(0).integers(0, 256, (2, spec.input_height, spec.input_width, 3), dtype=np.uint8)
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        engine(crops)
        taken.append(1e3 * (time.perf_counter() - begin))
    return {"ms_both_eyes_p5": float(np.quantile(taken, 0.05)), "ms_both_eyes_p50": float(np.median(taken))}


def show(name: str, figures: dict[str, float]) -> None:
    print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--rendered", type=Path, required=True, help="folder that startrack render made")
    parser.add_argument("--unseen", action="store_true", help="no training saw the folder: take all of its faces")
    parser.add_argument("--iris-labels", type=Path, help="of benchmarks/shared/peer_iris.py")
    parser.add_argument("--weights", type=Path, default=zoo_path("eyes"))
    parser.add_argument("--landmarks", type=Path, default=zoo_path(DEFAULT_LANDMARKS))
    parser.add_argument("--faces", type=int, default=3, help="of the made blinks")
    parser.add_argument("--out", type=Path, default=RESULTS / "eyes.json")
    args = parser.parse_args()
    held_back = ibug_300w.load(args.root, "validation")
    labels = read_iris_labels(args.iris_labels) if args.iris_labels else {}
    blinks: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="startrack-eyes-") as folder,
        load_eyes(args.weights) as engine,
        load_engine(args.landmarks, "cpu") as landmarks,
        ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect,
    ):
        times = milliseconds(engine)
        show("time", times)
        on_real = real(engine, landmarks, held_back, labels)
        show("real", on_real)
        on_renders = rendered(engine, args.rendered, "all" if args.unseen else "validation")
        for name, figures in on_renders.items():
            show(name, figures)
        for filmed in film(still_faces(choose_faces(held_back, args.faces)), [SCENARIOS["blink"]], Path(folder)):
            blinks[filmed.clip.name] = blink(engine, filmed, landmarks, detect)
            show(filmed.clip.name, blinks[filmed.clip.name])
    found = {"eyes": described(args.weights), "time": times, "rendered": on_renders, "real": on_real, "blinks": blinks}
    write_result(args.out, found, model=args.landmarks)


if __name__ == "__main__":
    main()
