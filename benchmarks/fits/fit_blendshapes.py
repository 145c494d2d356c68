"""Fit tracker/signals/shape_weights.npz: measures of a face less those of its neutral one → ARKit's shapes.

Ridge regression on persons drawn from the head model of the rendered faces, whose shapes have ARKit's names: half of
the moments are expressions as they are rendered, half are one to four shapes at random, so that a shape is not only
known by its usual company. The landmarks are seen in perspective with noise on each. A ridge shrinks uncertain shapes;
each is enlarged again by the root of its shrinkage, at most LARGEST_GAIN. Lids that open and shut stay with their
formulas, which follow each eye by itself; so does mouthPucker, whose formula errs less on rendered faces.

    python -m benchmarks.fits.fit_blendshapes --assets ASSETS

benchmarks/accuracy/rendered_blendshapes.py measures them on rendered faces, where the formulas are measured, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.shared.drawn_faces import (
    NEUTRAL_TURN_DEG,
    TURN_DEG,
    DrawnHeads,
    arkit_weights,
    draw_persons,
    drawn_heads,
    frontal,
    measures,
    mirrored,
    other_side,
    views_of,
)
from startrack.tracker.signals.shapes import COLUMNS, USUAL, WEIGHTS_FILE, Float64Array, formula_values
from startrack.train.synthetic.head.assets import load_assets
from startrack.train.synthetic.head.expression import draw_expression

# N moments, E expression shapes, M measures, S shapes

MOMENTS = 12
"""Of each person."""
NOISE = 0.008
"""Of each landmark's coordinates in the frontal shape, distances of the outer eye corners."""
RIDGE = 1e-3
"""Weight of the penalty, of measures scaled to a variance of 1."""
LARGEST_GAIN = 3.0
BY_FORMULA = ("eyeBlink", "eyeWide", "mouthPucker")
UNMIXED = ("Pupil", "eyeLook", "mouthClose")
MEASURED = {name.removesuffix("Left").removesuffix("Right") for name in formula_values(USUAL, USUAL)} | {
    *("mouthLeft", "mouthRight")
}
"""Shapes that are given, without their side."""
RARE = 0.15
"""How often another shape is drawn, over one of those."""


def random_mixture(names: tuple[str, ...], rng: np.random.Generator) -> Float64Array:
    """(E,) one to four shapes, half of those with sides on one side only; those that no measure is of are rarer."""
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if not name.startswith(UNMIXED):
            groups.setdefault(name.removesuffix("_L").removesuffix("_R"), []).append(number)
    weights, common = np.zeros(len(names)), np.array([1.0 if name in MEASURED else RARE for name in groups])
    for group in rng.choice(len(groups), rng.integers(1, 5), replace=False, p=common / common.sum()).tolist():
        sides, value = list(groups.values())[group], rng.uniform(0.15, 1)
        if len(sides) == 2 and rng.random() < 0.5:
            sides = [sides[int(rng.integers(2))]]
        weights[sides] = np.clip(value * (1 + rng.normal(0, 0.12, len(sides))), 0, 1.1)
    return weights


def draw_moments(heads: DrawnHeads, count: int, rng: np.random.Generator) -> Float64Array:
    """(N, E) weights of moments in turn as they are rendered and mixed at random."""
    names = heads.names
    return np.array(
        [random_mixture(names, rng) if k % 2 else draw_expression(names, rng).weights for k in range(count)], np.float64
    )


def differences(heads: DrawnHeads, persons: int, rng: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """(N, M) measures of drawn moments less the person's neutral ones, with those of the mirrored faces, and (N, E)."""
    neutral = np.repeat(draw_persons(heads, persons, rng), MOMENTS, axis=0)
    weights = draw_moments(heads, len(neutral), rng)
    moving = frontal(views_of(neutral + np.tensordot(weights, heads.expression, 1), TURN_DEG, rng))
    moving += rng.normal(0, NOISE, moving.shape)
    resting = frontal(views_of(neutral, NEUTRAL_TURN_DEG, rng))
    plain, flipped = (measures(turn(moving)) - measures(turn(resting)) for turn in (lambda shapes: shapes, mirrored))
    return np.concatenate([plain, flipped]), weights


def fit(inputs_NM: Float64Array, targets_NS: Float64Array) -> Float64Array:
    """(M, S) ridge regression without a constant: the neutral face has weights of 0."""
    scale_M = inputs_NM.std(axis=0) + 1e-9
    scaled = inputs_NM / scale_M
    normal = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
    weights: Float64Array = np.linalg.solve(normal, scaled.T @ targets_NS) / scale_M[:, None]
    found = inputs_NM @ weights
    slopes_S = (found * targets_NS).sum(axis=0) / np.maximum((targets_NS**2).sum(axis=0), 1e-9)
    return weights * np.minimum(1 / np.sqrt(np.maximum(slopes_S, 1e-6)), LARGEST_GAIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True, help="the folder that startrack render takes")
    parser.add_argument("--persons", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    args = parser.parse_args()
    heads, rng = drawn_heads(load_assets(args.assets).head), np.random.default_rng(args.seed)
    inputs, moments = differences(heads, args.persons, rng)
    targets = arkit_weights(moments, heads.names)
    names = [name for name in formula_values(USUAL, USUAL) if name in targets and not name.startswith(BY_FORMULA)]
    plain, flipped = (np.stack([targets[turn(name)] for name in names], axis=1) for turn in (str, other_side))
    weights = fit(inputs, np.concatenate([plain, flipped]))
    np.savez_compressed(args.out, names=names, columns=COLUMNS, weights=weights.T.astype(np.float32))
    print(f"{args.out}: {len(names)} shapes from {len(COLUMNS)} measures of {len(inputs)} moments")


if __name__ == "__main__":
    main()
