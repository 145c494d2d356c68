"""Faces kept through trials: turned right around in the picture, a flash, a letterboxed cut, a dash across the picture.

    python -m benchmarks.motion.turning data/300w

Ten validation faces, the only ones in their pictures. For each kind of trial: trials in which the ids are as many as
they should be, frames without a track on a face in plain view, changes of id, and tracks on no face.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.train.motion.clips import choose_faces
from startrack.train.motion.crowd import IdentityCounts, count_identities
from startrack.train.motion.trials import Trial, trials
from startrack.train.sets import ibug_300w

SHARED = ("helen/trainset/160565613_2", "helen/trainset/2098713580_1")
"""Pictures that show half of a second person's face, too, which no annotation marks: a track on it is no false one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one kind of trial went."""

    trials: int
    faultless: int
    """Trials with the right number of ids, nothing missed and no ghost."""
    ids_right: int
    """Trials with the right number of ids."""
    visible: int
    missed: int
    switches: int
    false_positives: int


def follow(trial: Trial, detect: FaceDetector, engine: Engine, options: TrackerOptions) -> tuple[IdentityCounts, int]:
    """Counts of a trial, and how many ids were given in it."""
    tracked = list(track_frames(trial.frames(), detect, engine, options=options))
    return count_identities(tracked, trial), len({one.id for frame in tracked for one in frame.tracks})


def outcome(trials: list[tuple[Trial, IdentityCounts, int]]) -> Outcome:
    """All trials of a kind together."""
    total = IdentityCounts(0, 0, 0, 0)
    for _, counts, _ in trials:
        total += counts
    right = [ids == trial.ids for trial, _, ids in trials]
    clean = [counts.missed == counts.switches == counts.false_positives == 0 for _, counts, _ in trials]
    both = sum(a and b for a, b in zip(right, clean, strict=True))
    return Outcome(len(trials), both, sum(right), **asdict(total))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--faces", type=int, default=10)
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS), help="landmark model, .onnx")
    parser.add_argument("--max-faces", type=int, default=8)
    parser.add_argument("--only", default="", help="trials whose name holds this")
    parser.add_argument("--out", type=Path, default=RESULTS / "turning.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    alone = [sample for sample in ibug_300w.load(args.root, "validation") if sample.name not in SHARED]
    samples = choose_faces(alone, args.faces)
    options = TrackerOptions(max_faces=args.max_faces)
    kinds: dict[str, list[tuple[Trial, IdentityCounts, int]]] = defaultdict(list)
    with load_engine(args.weights) as engine, closing(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))) as detect:
        for trial in trials(samples):
            if args.only not in trial.name:
                continue
            counts, ids = follow(trial, detect, engine, options)
            kind = trial.name.split("/")[0].replace("-", "")
            kinds[kind].append((trial, counts, ids))
            if ids != trial.ids or counts.missed or counts.false_positives:
                print(f"{trial.name}: {ids} ids, {trial.ids} expected; {counts}", flush=True)
    outcomes = {kind: outcome(found) for kind, found in kinds.items()}
    for kind, one in outcomes.items():
        print(f"{kind:40} {one}")
    write_result(
        args.out, {"faces": args.faces, **{kind: asdict(one) for kind, one in outcomes.items()}}, model=args.weights
    )


if __name__ == "__main__":
    main()
