"""Shares of true landmarks inside the predicted 50 % and 90 % ellipses, and visibilities, on faces made hard.

    python -m benchmarks.accuracy.ellipses data/300w

Conditions: validation faces as they are, turned, dark, blurred and covered (train/validation/hard_crops.py), by chances
that no calibration uses. The ellipses are those of the stated mixture (tracker/shape/ellipses.py); the shares inside a
single Gaussian's are printed too. A shipped file was calibrated on these very faces: startrack calibrate prints the
cross-validated shares.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.shared.record import model_result, write_result
from startrack.engines import load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.cut import in_colour_order
from startrack.train.sets import DATASETS
from startrack.train.sets.sample import Sample
from startrack.train.validation.calibration import LEVELS, Errors, chance_of_order
from startrack.train.validation.hard_crops import CONDITIONS, Condition, hard_crop

BATCH = 32
SEED = 77_000


def measure(engine: Engine, samples: list[Sample], condition: Condition) -> dict[str, Any]:
    """Figures of one condition, in per cent."""
    errors, covariances, visibilities, hidden = [], [], [], []
    for start in range(0, len(samples), BATCH):
        part = enumerate(samples[start : start + BATCH], start)
        crops = [hard_crop(sample, engine.spec, condition, samples, SEED + number) for number, sample in part]
        batch = engine(in_colour_order(engine.spec, np.stack([crop.image for crop in crops])))
        errors.append(np.stack([crop.landmarks for crop in crops]) - batch.points)
        covariances.append(np.asarray(batch.covariance, np.float64))
        hidden.append(np.stack([crop.hidden for crop in crops]))
        visibilities.append(np.full(batch.score.shape, np.nan) if batch.visibility is None else batch.visibility)
    all_errors = Errors(np.concatenate(errors), np.concatenate(covariances), np.concatenate(hidden))
    covered, visibility = np.concatenate(hidden), np.concatenate(visibilities)
    squared, size = all_errors.squared_distances(), np.sqrt(np.trace(all_errors.covariance, axis1=-2, axis2=-1))
    figures: dict[str, Any] = {"faces": len(samples)}
    for level, share in zip(LEVELS, all_errors.coverage(), strict=True):
        figures[f"inside{level:.0%}"] = 100 * share
        figures[f"inside{level:.0%}_of_one_gaussian"] = 100 * float((squared <= -2 * np.log1p(-level)).mean())
    if covered.mean() > 0.02:
        figures["covered"] = 100 * float(covered.mean())
        figures["spread_of_covered_over_others"] = float(np.median(size[covered]) / np.median(size[~covered]))
        figures["visibility_of_covered"] = float(visibility[covered].mean())
        figures["visibility_of_others"] = float(visibility[~covered].mean())
        figures["visibility_in_order"] = 100 * chance_of_order(visibility, covered)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of the data set, as published")
    parser.add_argument("--dataset", choices=sorted(DATASETS), default="300w")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS), help="landmark model, .onnx")
    parser.add_argument("--out", type=Path, help="by default in benchmarks/results, by the model's name")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    samples = list(DATASETS[args.dataset](args.root, args.split))
    figures: dict[str, Any] = {"split": args.split, "conditions": {}}
    with load_engine(args.weights, "cpu", threads=1) as engine:
        for name, condition in CONDITIONS.items():
            figures["conditions"][name] = one = measure(engine, samples, condition)
            print(f"{name:8} " + ", ".join(f"{key} {value:.4g}" for key, value in one.items()), flush=True)
    write_result(args.out or model_result("ellipses", args.weights), figures, model=args.weights)


if __name__ == "__main__":
    main()
