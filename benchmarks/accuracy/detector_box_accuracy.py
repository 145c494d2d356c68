"""The cost of a detector's box against the true one on 300W faces: NME on the crop from it, and one frame later.

Each face is read from the true box (as startrack evaluate does), from the true square turned with the eyes, and from
the detector's box (a track's first reading); then from the crops that the tracker cuts by the landmarks of a reading
(every later one), one and two steps on, both after the detector's box and after the true one. All rows speak of the
faces that the detector found on the stored pictures, which the faces fill to a half.

    python -m benchmarks.accuracy.detector_box_accuracy /path/to/300w
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.record import model_result, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.associate import iou, stack_boxes
from startrack.tracker.crop import bounding_box, roi_from_box, roi_from_landmarks, roi_from_points
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.latency import Stopwatch
from startrack.tracker.read_rois import read_rois
from startrack.tracker.schemes import IBUG_68, SCHEMES
from startrack.tracker.types import FaceBox, Frame, Landmarks, Roi
from startrack.train.metrics.nme import inter_ocular, landmark_errors, summarise
from startrack.train.metrics.protocols import IBUG_300W_PROTOCOL
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import Sample

MIN_IOU = 0.3
"""Of a detector's box and the landmarks' own, to be the same face."""
BOOTSTRAPS = 2000
BARS = {"detector's box": 0.1, "true box, one step later": 0.05, "true box, two steps later": 0.05}
"""Points of NME that a way of cutting crops may cost against the true box."""


def find(detect: FaceDetector, frame: Frame, sample: Sample) -> FaceBox | None:
    """The detector's box of the labelled face, None if it has none there."""
    boxes = detect(frame)
    overlap = iou(bounding_box(sample.landmarks)[None], stack_boxes([box.xyxy for box in boxes]))[0]
    return boxes[int(overlap.argmax())] if boxes and overlap.max() >= MIN_IOU else None


def read(engine: Engine, frame: Frame, roi: Roi) -> Landmarks:
    return read_rois(frame, [roi], engine, Stopwatch())[0]


def read_all_ways(engine: Engine, frame: Frame, sample: Sample, box: FaceBox) -> dict[str, Landmarks]:
    """The landmarks of one face from each kind of crop."""
    scheme, scale = SCHEMES[engine.spec.scheme], engine.spec.crop_scale

    def later(before: Landmarks) -> Landmarks:
        return read(engine, frame, roi_from_landmarks(before.points, scheme, scale))

    true = read(engine, frame, roi_from_points(sample.landmarks, scale))
    first = read(engine, frame, roi_from_box(box, scale))
    return {
        "true box": true,
        "true box, upright": read(engine, frame, roi_from_landmarks(sample.landmarks, scheme, scale)),
        "true box, one step later": (after := later(true)),
        "true box, two steps later": later(after),
        "detector's box": first,
        "one step later": (after := later(first)),
        "two steps later": later(after),
    }


def summary(readings: list[Landmarks], truth_NK2: NDArray[np.float64], base: NDArray[np.float64]) -> dict[str, Any]:
    """NME in %, also without the jaw; its difference to `base` with a bootstrap interval; faces taken for none."""
    errors = _errors(readings, truth_NK2)
    difference = 100 * (errors.mean(axis=1) - base)
    resampled = np.random.default_rng(0).integers(len(difference), size=(BOOTSTRAPS, len(difference)))
    low, high = np.percentile(difference[resampled].mean(axis=1), [2.5, 97.5])
    figures = summarise(errors.mean(axis=1))
    return {
        "nme": figures.nme,
        "nme_51": 100 * float(errors[:, list(IBUG_300W_PROTOCOL.inner)].mean()),
        "fr8": figures.fr8,
        "fr10": figures.fr10,
        "difference": float(difference.mean()),
        "difference_interval95": [float(low), float(high)],
        "presence_below_half": sum(one.presence < 0.5 for one in readings),
    }


def _errors(readings: list[Landmarks], truth_NK2: NDArray[np.float64]) -> NDArray[np.float64]:
    predicted_NK2 = np.stack([np.asarray(one.points, np.float64) for one in readings])
    return landmark_errors(predicted_NK2, truth_NK2, inter_ocular(truth_NK2, IBUG_68))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="300W as published: afw, helen, lfpw, ibug")
    parser.add_argument("--split", choices=ibug_300w.SPLITS, default="validation")
    parser.add_argument("--every", type=int, default=1, help="use one face in so many")
    parser.add_argument("--detector-model", type=Path, default=zoo_path(DEFAULT_DETECTOR))
    parser.add_argument("--weights", type=Path, default=None, help="landmark model; by default the shipped one")
    parser.add_argument("--out", type=Path, help="by default in benchmarks/results, by the model's name")
    args = parser.parse_args()
    path = args.weights or zoo_path(DEFAULT_LANDMARKS)
    samples = ibug_300w.load(args.root, args.split)[:: args.every]
    truths: list[NDArray[np.float64]] = []
    readings: dict[str, list[Landmarks]] = {}
    detector = ZooDetector(load_detector(args.detector_model))
    with detector as detect, load_engine(path, "cpu", threads=1) as engine:
        for sample in samples:
            frame = Frame(sample.read_image(), 0, 0.0)
            if (box := find(detect, frame, sample)) is None:
                continue
            truths.append(np.asarray(sample.landmarks, np.float64))
            for way, landmarks in read_all_ways(engine, frame, sample, box).items():
                readings.setdefault(way, []).append(landmarks)
    if not truths:
        raise SystemExit(f"{args.root}: the detector found none of {len(samples)} faces")
    truth_NK2 = np.stack(truths)
    base = _errors(readings["true box"], truth_NK2).mean(axis=1)
    ways = {way: summary(points, truth_NK2, base) for way, points in readings.items()}
    print(f"{len(truths)} of {len(samples)} faces found\n{'':27} NME    51   FR@.08  difference, 95 %")
    for way, one in ways.items():
        low, high = one["difference_interval95"]
        print(f"{way:25} {one['nme']:5.2f} {one['nme_51']:5.2f}   {one['fr8']:5.1f}   {one['difference']:+.3f}", end="")
        print(f" ({low:+.3f} … {high:+.3f})   {one['presence_below_half']} taken for none", end="")
        met = one["difference"] <= BARS.get(way, np.inf)
        print(f"   at most {BARS[way]:+.2f}: {'met' if met else 'MISSED'}" if way in BARS else "")
    figures = {"split": args.split, "faces": len(samples), "found": len(truths), "bars": BARS, "ways": ways}
    write_result(args.out or model_result("detector_box", path), figures, model=path)


if __name__ == "__main__":
    main()
