"""Ids kept in scenes of known faces that cross and hide each other: switches, misses, false positives.

    python -m benchmarks.accuracy.identities data/300w --split validation

Faces are those of the split, two or three to a scene, on a plain ground; every scene holds several crossings.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import cv2

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.pipeline import track_frames
from startrack.train.motion.crowd import IdentityCounts, count_identities, crossing
from startrack.train.sets import ibug_300w


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--split", choices=ibug_300w.SPLITS, default="validation")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS / "identities.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    samples = ibug_300w.load(args.root, args.split)
    total = IdentityCounts(0, 0, 0, 0)
    model = zoo_path(DEFAULT_LANDMARKS)
    with load_engine(model) as engine, ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect:
        for seed in range(args.scenes):
            scene = crossing(samples, seed)
            counts = count_identities(list(track_frames(scene.frames(), detect, engine)), scene)
            print(f"scene {seed}: {counts}", flush=True)
            total += counts
    print(f"all {args.scenes} scenes of {args.split} faces: {total}")
    write_result(args.out, {"split": args.split, "scenes": args.scenes, **asdict(total)}, model=model)


if __name__ == "__main__":
    main()
