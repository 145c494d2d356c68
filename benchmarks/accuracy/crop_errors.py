"""How far the tracker's crops are off: turn, shift and scale against the crop that the true landmarks ask for.

Validation faces set in motion are followed through the scenarios of train/motion, and each frame's crop is compared
with that of the frame's true landmarks: the error of a followed face's crop. And on the stored pictures, the crop
by the detector's box, and the one that the landmarks read there lead to: the errors of a face's first two readings.
The augmentation of the landmark recipes is set by these figures (train/recipes/compact.py).

    python -m benchmarks.accuracy.crop_errors /path/to/300w --faces 6
"""

# N crops

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.detector_box_accuracy import find, read
from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.crop import roi_from_box, roi_from_landmarks
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.motion.crop_motion import roi_difference
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FloatArray, Frame, Roi
from startrack.tracker.video.source import read_video
from startrack.train.motion.benchmark import Filmed, film, still_faces
from startrack.train.motion.clips import SCENARIOS, choose_faces
from startrack.train.sets import ibug_300w

NAMES = ("turn_deg", "shift_x", "shift_y", "log_scale")
"""Shifts along the true crop's axes, in its sides; the logarithm of the side over the true one's."""


def crop_error(truth_K2: FloatArray, roi: Roi, scale: float) -> tuple[float, ...]:
    """NAMES of a crop, against the upright one of the true landmarks, (68, 2) frame pixels."""
    turn, shift = roi_difference(roi_from_landmarks(truth_K2, IBUG_68, scale), roi)
    return float(np.degrees(turn.imag)), shift.real, shift.imag, turn.real


def followed(filmed: Filmed, detect: FaceDetector, engine: Engine) -> list[tuple[float, ...]]:
    """Of every frame of a clip in which the face is followed."""
    errors = []
    options = TrackerOptions(max_faces=1)
    with read_video(filmed.path) as video:
        for frame, truth in zip(
            track_frames(video, detect, engine, make_smoother=NoSmoothing, options=options),
            filmed.clip.landmarks,
            strict=False,
        ):
            errors += [crop_error(truth, one.roi, engine.spec.crop_scale) for one in frame.tracks[:1]]
    return errors


def spread(errors: list[tuple[float, ...]]) -> dict[str, Any]:
    """Per kind of error: mean, standard deviation, and the sizes that 50, 95 and 99 % stay below."""
    rows: NDArray[np.float64] = np.array(errors)
    sizes = np.percentile(np.abs(rows), [50, 95, 99], axis=0)
    return {
        "crops": len(rows),
        **{
            name: {
                "mean": float(rows[:, column].mean()),
                "sigma": float(rows[:, column].std()),
                "sizes_50_95_99": sizes[:, column].tolist(),
            }
            for column, name in enumerate(NAMES)
        },
    }


def show(name: str, statistics: dict[str, Any]) -> None:
    cells = "  ".join(
        f"{kind} {statistics[kind]['sigma']:.3f} ({statistics[kind]['sizes_50_95_99'][1]:.3f})" for kind in NAMES
    )
    print(f"{name:24} {statistics['crops']:6}  {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="300W as published: afw, helen, lfpw, ibug")
    parser.add_argument("--split", choices=ibug_300w.SPLITS, default="validation")
    parser.add_argument("--faces", type=int, default=6, help="to set in motion")
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS))
    parser.add_argument("--out", type=Path, default=RESULTS / "crop_errors.json")
    args = parser.parse_args()
    samples = ibug_300w.load(args.root, args.split)
    figures: dict[str, Any] = {"split": args.split, "faces": args.faces, "followed": {}}
    print(f"{'standard deviation, 95 %':24} crops")
    with (
        load_engine(args.weights, "cpu", threads=1) as engine,
        closing(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))) as detect,
        tempfile.TemporaryDirectory(prefix="startrack-crops-") as folder,
    ):
        scale = engine.spec.crop_scale
        by_scenario: dict[str, list[tuple[float, ...]]] = {}
        for filmed in film(
            still_faces(choose_faces(samples, args.faces)), [SCENARIOS[name] for name in args.scenario], Path(folder)
        ):
            by_scenario.setdefault(filmed.scenario.name, []).extend(followed(filmed, detect, engine))
        for name, errors in by_scenario.items():
            figures["followed"][name] = spread(errors)
            show(name, figures["followed"][name])
        figures["all_followed"] = spread([error for errors in by_scenario.values() for error in errors])
        show("all followed", figures["all_followed"])
        first, second = [], []
        for sample in samples:
            frame = Frame(sample.read_image(), 0, 0.0)
            if (box := find(detect, frame, sample)) is not None:
                roi = roi_from_box(box, scale)
                first.append(crop_error(sample.landmarks, roi, scale))
                after = roi_from_landmarks(read(engine, frame, roi).points, IBUG_68, scale)
                second.append(crop_error(sample.landmarks, after, scale))
    for name, errors in (("detector", first), ("after_detector", second)):
        figures[name] = spread(errors)
        show(name.replace("_", " "), figures[name])
    write_result(args.out, figures, model=args.weights)


if __name__ == "__main__":
    main()
