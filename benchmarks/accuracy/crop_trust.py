"""How far landmark models trust their crops: NME from crops that are off, and how fast a face is found again.

Validation faces are read from the crop by the true box, from perturbed ones (moved by 3 % of the side along each axis,
scaled by 6 %, standard deviations) and from ones that are displaced by 5, 10 and 15 % in any direction; then from the
crops that the tracker cuts by the landmarks of the reading before. A face is back when its crop stays within 1 % of
its side of where the readings from its true box end. A model whose figure from the true box is much better than that
from a perturbed one two steps on, or that comes back slowly, reads the crop's border and is not to be shipped.

Models are float or 8-bit files (.onnx) and weights of a training (.safetensors), several for a table.

With --turned, rendered heads turned by 30 to 75° are read from crops displaced by 10, 20 and 25 %, as behind a head
that turns fast; errors are in per cent of the root of the box's area then, that of the third reading stands behind.

    python -m benchmarks.accuracy.crop_trust 300w --weights compact-300w-slim.onnx runs/slim/weights.safetensors
    python -m benchmarks.accuracy.crop_trust --turned faces --weights compact-300w-slim.onnx
"""

# N faces, K landmarks, R readings one after the other

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.opened_model import opened_model
from benchmarks.shared.record import RESULTS, described, write_result
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.metrics.nme import box_side, inter_ocular, nme
from startrack.train.sets import ibug_300w, rendered
from startrack.train.sets.sample import Sample
from startrack.train.validation.crop_trust import Photos, Read, displaced, perturbed, steps_back

DISPLACEMENTS = (0.05, 0.10, 0.15)
FAR = (0.10, 0.20, 0.25)
"""Of turned heads."""
TURNED = {"turn 30-45", "turn 45-60", "turn 60-75"}
COVERED = {"hand", "mask"}
MOST_TURNED = 300
READINGS = 6
WITHIN = 0.01
"""Sides of the crop."""


def turned_faces(folder: Path) -> list[Sample]:
    """The first rendered faces of a folder that are turned, and not covered."""
    faces = rendered.load(folder, "all")
    turned = [face for face in faces if TURNED & set(face.attributes) and not COVERED & set(face.attributes)]
    return turned[:MOST_TURNED]


def measure(photos: Photos, read: Read, *, unit_N: FloatArray, displacements: Sequence[float]) -> dict[str, Any]:
    """Error in per cent of each kind of crop and reading, and readings until a displaced face is back."""

    def percent(points_RNK2: NDArray[np.float64]) -> list[float]:
        return [100 * float(nme(points, photos.landmarks, unit_N).mean()) for points in points_RNK2]

    true = photos.true_rois
    from_true = photos.follow(read, true, READINGS)
    home_N = photos.next_rois(from_true[-1])
    home_N2, sides_N = np.array([roi.centre for roi in home_N]), np.array([roi.side for roi in home_N])
    measured: dict[str, Any] = {
        "true_box": percent(from_true[:3]),
        "perturbed": percent(photos.follow(read, perturbed(true, np.random.default_rng(0)), 3)),
        "displaced": {},
    }
    for by in displacements:
        points = photos.follow(read, displaced(home_N, by, np.random.default_rng(1)), READINGS)
        centres = np.array([[roi.centre for roi in photos.next_rois(one)] for one in points])
        steps = steps_back(centres, home_N2, sides_N, within=WITHIN)
        measured["displaced"][f"{by:g}"] = {
            "nme": percent(points),
            "mean_steps_back": float(steps.mean()),
            "steps_back_95": float(np.percentile(steps, 95)),
            "never_percent": 100 * float(np.mean(steps == READINGS)),
        }
    return measured


def row(name: str, one: dict[str, Any], *, is_turned: bool) -> str:
    cells = [f"{one['true_box'][0]:8.2f}", *(f"{value:6.2f}" for value in one["perturbed"])]
    for moved in one["displaced"].values():
        later = f"{moved['nme'][2]:5.2f}" if is_turned else ""
        cells.append(f"  {moved['nme'][0]:5.2f}{later} {moved['mean_steps_back']:4.2f} {moved['steps_back_95']:3.0f}")
    return f"{name:34}{' '.join(cells)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    faces = parser.add_mutually_exclusive_group(required=True)
    faces.add_argument("root", type=Path, nargs="?", help="300W as published: afw, helen, lfpw, ibug")
    faces.add_argument("--turned", type=Path, help="folder of startrack render, in its place")
    parser.add_argument("--split", choices=ibug_300w.SPLITS, default="validation")
    parser.add_argument("--every", type=int, default=1, help="use one face in so many")
    parser.add_argument("--weights", type=Path, nargs="+", default=[zoo_path(DEFAULT_LANDMARKS)])
    parser.add_argument("--out", type=Path, help="by default results/crop_trust.json, or crop_trust_turned.json")
    args = parser.parse_args()
    is_turned = args.turned is not None
    samples = (turned_faces(args.turned) if is_turned else ibug_300w.load(args.root, args.split))[:: args.every]
    displacements = FAR if is_turned else DISPLACEMENTS
    by = ", ".join(f"{100 * each:g}" for each in displacements)
    shown = "error, two on," if is_turned else "NME,"
    print(f"{'%':34}true box  perturbed, 1, 2 on    displaced by {by} %: {shown} steps back (mean, 95 %)")
    measured: dict[str, Any] = {}
    for path in args.weights:
        with opened_model(path) as (spec, read):
            photos = Photos.of(samples, spec)
            unit_N = (box_side if is_turned else inter_ocular)(photos.landmarks, IBUG_68)
            figures = measure(photos, read, unit_N=unit_N, displacements=displacements)
            measured[str(path)] = {**described(path), **figures}
        print(row("/".join(path.parts[-2:]), measured[str(path)], is_turned=is_turned), flush=True)
    out = args.out or RESULTS / ("crop_trust_turned.json" if is_turned else "crop_trust.json")
    split = "turned, rendered" if is_turned else args.split
    write_result(out, {"split": split, "faces": len(samples), "models": measured}, model=args.weights[0])


if __name__ == "__main__":
    main()
