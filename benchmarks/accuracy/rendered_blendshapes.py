"""Blendshapes of rendered faces against the weights that they were made with.

    python -m benchmarks.accuracy.rendered_blendshapes FACES --assets ASSETS

FACES: made by `startrack render`. The landmarks are the default model's. The neutral face is the same person's head
without an expression, by the same head model, in the same pose; the landmark model's constant offsets from the head
model's landmarks are found on every second picture, and the others are measured. Of each shape: RMS error against the
weight, of the shape as it is, of the formulas alone and of 0, and the correlation of both.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.drawn_faces import DrawnHeads, arkit_weights, drawn_heads, frontal, measures
from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.outside import LARGEST_FACTS, read_json
from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.cut import cut_each
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.shapes import (
    USUAL,
    Float64Array,
    beyond_idle,
    formula_values,
    idle_values,
    shape_values,
)
from startrack.train.sets.pts import picture_beside, read_pts
from startrack.train.synthetic.head.assets import load_assets

# N pictures, S shapes

MOST_TURN_DEG, LEAST_VISIBLE = 35.0, 58
POSED = slice(17, 68)
NAMES = tuple(formula_values(USUAL, USUAL))


def read_face(engine: Engine, label: Path) -> Float64Array:
    """(68, 2) the model's landmarks of a picture, the second crop cut around the first one's."""
    image = np.asarray(cv2.imread(str(picture_beside(label))), np.uint8)[..., ::-1]
    points: NDArray[np.floating] = read_pts(label, IBUG_68.num_landmarks)
    for _ in range(2):
        roi = roi_from_landmarks(points, IBUG_68, engine.spec.crop_scale)
        cut = cut_each(engine.spec, [(np.ascontiguousarray(image), roi)])
        points = cut.points_back(engine(cut.crops).points)[0]
    return np.asarray(points, np.float64)


def seen_by_camera(
    head: Float64Array, placed: Float64Array, facts: dict[str, Any], shown: Float64Array
) -> Float64Array:
    """(68, 2) px of a head's landmarks (68, 3) cm, moved as `shown` is moved to `placed` in the camera's frame."""
    shown_mean, placed_mean = shown[POSED].mean(axis=0), placed[POSED].mean(axis=0)
    left, _, right = np.linalg.svd((shown[POSED] - shown_mean).T @ (placed[POSED] - placed_mean))
    mend = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turned = (head - shown_mean) @ (left @ mend @ right) + placed_mean
    return np.asarray(turned[:, :2] / turned[:, 2:] * facts["focal_px"], np.float64)


def read_all(
    faces: Path, heads: DrawnHeads, engine: Engine, count: int
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
    """(N, 68, 2) frontal shapes of the model's landmarks, of the head model's and of its neutral face's, and (N, E)."""
    found: list[tuple[Float64Array, ...]] = []
    for path in sorted(faces.glob("*/*.json")):
        facts: dict[str, Any] = read_json(path, LARGEST_FACTS)
        usable = abs(facts["turn_deg"]) <= MOST_TURN_DEG and sum(facts["visible"]) >= LEAST_VISIBLE
        if not usable or "mask" in facts["attributes"]:
            continue
        weights = np.array([facts["blendshapes"].get(name, 0.0) for name in heads.names])
        neutral = heads.person(np.array(facts["identity"]), facts["age_years"])
        moved = neutral + np.tensordot(weights, heads.expression, 1)
        placed = np.array(facts["landmarks_cm"])
        drawn = [seen_by_camera(head, placed, facts, moved) for head in (moved, neutral)]
        found.append((read_face(engine, path.with_suffix(".pts")), *drawn, weights))
        if len(found) == count:
            break
    read, moved, neutral, weights = (np.array(column) for column in zip(*found, strict=True))
    return frontal(read), frontal(moved), frontal(neutral), weights


def errors(values_N: Float64Array, truth_N: Float64Array) -> tuple[float, float]:
    """RMS error, and correlation, 0 of a constant."""
    moves = min(values_N.std(), truth_N.std()) > 0
    rms = float(np.sqrt(((values_N - truth_N) ** 2).mean()))
    return rms, float(np.corrcoef(values_N, truth_N)[0, 1]) if moves else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000, help="pictures at most")
    parser.add_argument("--out", type=Path, default=RESULTS / "rendered_blendshapes.json")
    args = parser.parse_args()
    heads = drawn_heads(load_assets(args.assets).head)
    with load_engine(zoo_path(DEFAULT_LANDMARKS), "cpu", threads=1) as engine:
        read, moved, neutral, weights = read_all(args.faces, heads, engine, args.count)
    offset, tried = np.median((read - moved)[::2], axis=0), slice(1, None, 2)
    now, rest = measures(read[tried] - offset), measures(neutral[tried])
    truth, idle = arkit_weights(weights[tried], heads.names), idle_values(NAMES)
    both = [
        beyond_idle(np.array([list(values(*pair).values()) for pair in zip(now, rest, strict=True)]), idle)
        for values in (shape_values, formula_values)
    ]
    shapes = {}
    for column, name in enumerate(NAMES):
        (rms, together), (old, before) = (errors(values[:, column], truth[name]) for values in both)
        shapes[name] = {"rms": rms, "formula": old, "zero": float(np.sqrt((truth[name] ** 2).mean()))}
        shapes[name] |= {"correlation": together, "formula_correlation": before}
        print(f"{name:18}", *(f"{key} {value:.3f}" for key, value in shapes[name].items()))
    mean = {key: float(np.mean([row[key] for row in shapes.values()])) for key in ("rms", "formula", "zero")}
    print("mean", *(f"{key} {value:.3f}" for key, value in mean.items()))
    write_result(args.out, {"pictures": len(now), "mean": mean, "shapes": shapes})


if __name__ == "__main__":
    main()
