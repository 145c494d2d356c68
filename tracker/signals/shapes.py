"""A face's measures, compared to those of its neutral face → ARKit's blendshapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.expression import MEASURES, OPENINGS, measures_of, openings_of
from startrack.tracker.types import FloatArray

# M measures and two openings of eyes; S shapes

Float64Array = NDArray[np.float64]
SIDES = ("Right", "Left")
SHUT = 0.55
"""Share of a person's usual opening that an eye's landmarks lose when it shuts: they never meet."""
WIDE = 0.30
"""Share that they gain when it is torn open."""
COLUMNS = (*MEASURES, *OPENINGS)

# fmt: off
USUAL = np.array([
    0.223, 0.258, 0.204, 0.206, 0.060, 0.029, -0.504, 0.158, 0.299, -0.244, -0.188, -0.253, 0.253, 0.340,
    0.223, 0.258, 0.204, 0.206, 0.060, 0.029, -0.504, 0.158, 0.299, -0.244, -0.188, -0.253, 0.253, 0.340,
    -0.198, -0.262, 0.262, 0.368, 0.729, 0.000, 0.000, 0.320, 0.320,
])
LEAST = np.array([
    0.162, 0.188, 0.103, 0.134, 0.005, 0.001, -0.567, 0.107, 0.194, -0.350, -0.269, -0.335, 0.182, 0.235,
    0.162, 0.188, 0.103, 0.134, 0.005, 0.001, -0.567, 0.107, 0.194, -0.350, -0.269, -0.335, 0.182, 0.235,
    -0.277, -0.347, 0.188, 0.249, 0.533, -0.130, -0.057, 0.070, 0.070,
])
MOST = np.array([
    0.296, 0.333, 0.302, 0.280, 0.093, 0.056, -0.443, 0.217, 0.383, -0.146, -0.123, -0.182, 0.331, 0.444,
    0.296, 0.333, 0.302, 0.280, 0.093, 0.056, -0.443, 0.217, 0.383, -0.146, -0.123, -0.182, 0.331, 0.444,
    -0.133, -0.193, 0.340, 0.473, 0.898, 0.130, 0.057, 0.468, 0.468,
])
# fmt: on
"""(M + 2,) median, 2nd and 98th percentile of 300W's training faces, the mouth's of those with closed lips
(benchmarks/fits/fit_head_model.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """A weighted sum of measures that has grown by `full` when the shape is at 1."""

    full: float
    weights: Mapping[str, float]


SIDED = {
    "browDown": Terms(0.05, {"brow_inner": -1.0, "brow_middle": -0.5, "brow_near": -0.5}),
    "browOuterUp": Terms(0.06, {"brow_outer": 1.0, "brow_inner": -0.3}),
    "lidRise": Terms(0.03, {"lid_lower": -1.0}),
    "noseSneer": Terms(0.045, {"wing_up": 1.0, "corner_up": -0.25}),
    "mouthSmile": Terms(0.117, {"corner_up": 1.0, "corner_out": 0.5, "wing_up": -0.5}),
    "mouthFrown": Terms(0.045, {"corner_up": -1.0, "corner_out": -0.5}),
    "mouthStretch": Terms(0.078, {"corner_out": 1.0, "corner_up": -0.65}),
    "mouthUpperUp": Terms(0.045, {"lip_upper": 0.5, "lip_upper_inner": 0.5, "corner_up": -0.25}),
}
"""Of each side; fulls and weights were set by hand, on ICT's head model with ARKit's shapes and on two clips."""
MIDDLE = {
    "browInnerUp": Terms(
        0.04, {f"brow_{part}_{side}": w for part, w in (("inner", 0.5), ("outer", -0.25)) for side in ("right", "left")}
    ),
    "jawOpen": Terms(0.28, {"mid_lower_inner": 0.5, "mid_lower": 0.5, "mid_upper_inner": -1.0}),
    "lipsApart": Terms(0.15, {"mid_lower_inner": 1.0, "mid_upper_inner": 1.0}),
    "mouthRound": Terms(
        0.07, {"corner_out_right": -0.5, "corner_out_left": -0.5, "mid_upper": 0.7, "mid_lower_inner": -0.2}
    ),
    "mouthNarrow": Terms(0.02, {"corner_out_right": -0.5, "corner_out_left": -0.5}),
    "mouthLeft": Terms(0.09, {"mouth_aside": 1.0}),
    "mouthRollUpper": Terms(0.07, {"mid_upper": -1.0, "mid_upper_inner": 1.0}),
    "mouthRollLower": Terms(0.06, {"mid_lower": -1.0, "mid_lower_inner": 1.05, "mid_upper_inner": 0.05}),
}
"""lidRise, lipsApart, mouthRound and mouthNarrow are no shapes of ARKit's: they are divided between several."""


def _matrix() -> tuple[tuple[str, ...], Float64Array]:
    rows = {f"{name}{side}": (terms, f"_{side.lower()}") for side in SIDES for name, terms in SIDED.items()}
    rows |= {name: (terms, "") for name, terms in MIDDLE.items()}
    matrix = np.zeros((len(rows), len(COLUMNS)))
    for row, (terms, ending) in zip(matrix, rows.values(), strict=True):
        for measure, weight in terms.weights.items():
            row[COLUMNS.index(measure + ending)] = weight / terms.full
    return tuple(rows), matrix


NAMES, MATRIX = _matrix()
"""Names of the sums, and (sums, M + 2) their weights."""
WEIGHTS_FILE = Path(__file__).parent / "shape_weights.npz"
"""Written by benchmarks/fits/fit_blendshapes.py."""


@cache
def learned() -> tuple[tuple[str, ...], Float64Array]:
    """Names of the shapes that are sums of measures less the neutral face's, and (names, M + 2) their weights."""
    with np.load(WEIGHTS_FILE) as file:
        if tuple(file["columns"].tolist()) != COLUMNS:
            raise ValueError(f"{WEIGHTS_FILE.name} is of other measures; run benchmarks.fits.fit_blendshapes again")
        return tuple(file["names"].tolist()), np.asarray(file["weights"], np.float64)


@dataclass(frozen=True, slots=True)
class Mouth:
    """What moves the corners and lips of both sides, 0..1."""

    jaw: float
    round: float
    aside: float


def face_measures(shape: FloatArray) -> Float64Array:
    """(M + 2,) COLUMNS of a frontal shape (68, 2)."""
    return np.concatenate([measures_of(shape), openings_of(shape)])


def shape_values(measures: Float64Array, neutral: Float64Array) -> dict[str, float]:
    """ARKit's name → coefficient, about 0 at the neutral face and 1 at most; may leave 0..1. Left and right are the
    face's own. measures, neutral: (M + 2,), of the face now and of the same person's neutral face."""
    names, weights = learned()
    return formula_values(measures, neutral) | dict(zip(names, (weights @ (measures - neutral)).tolist(), strict=True))


def formula_values(measures: Float64Array, neutral: Float64Array) -> dict[str, float]:
    """The same by hand-made formulas: used of eyeBlink, eyeWide and mouthPucker; of the others their names count."""
    sums = dict(zip(NAMES, (MATRIX @ (measures - neutral)).tolist(), strict=True))
    # lips that rise are round only where the mouth is narrow
    round_, apart = min(sums["mouthRound"], sums["mouthNarrow"]), _unit(sums["lipsApart"])
    moved = Mouth(_unit(sums["jawOpen"]), _unit(round_), _unit(abs(sums["mouthLeft"])))
    shapes = {
        "jawOpen": sums["jawOpen"],
        "mouthPucker": round_ * (1 - apart),
        "mouthFunnel": round_ * apart,
        "mouthLeft": sums["mouthLeft"],
        "mouthRight": -sums["mouthLeft"],
        "mouthRollUpper": sums["mouthRollUpper"],
        "mouthRollLower": sums["mouthRollLower"],
        "browInnerUp": sums["browInnerUp"],
    }
    for side, opening, usual in zip(SIDES, measures[-2:], neutral[-2:], strict=True):
        opened = float(opening) / max(float(usual), 1e-3)
        shapes |= _sided({name: sums[name + side] for name in SIDED}, side, opened, moved)
    return shapes


def _sided(sums: Mapping[str, float], side: str, opened: float, mouth: Mouth) -> dict[str, float]:
    """The shapes of one side. opened: height of the eye's opening over its usual one."""
    smile, blink = sums["mouthSmile"], (1 - opened) / SHUT
    rise = sums["lidRise"] * (1 - _unit(2 * blink - 1))
    return {
        f"eyeBlink{side}": blink,
        f"eyeWide{side}": (opened - 1) / WIDE,
        f"eyeSquint{side}": rise,
        f"cheekSquint{side}": min(rise, smile),
        f"mouthSmile{side}": smile,
        # an open jaw takes the corners down with it
        f"mouthFrown{side}": sums["mouthFrown"] - 2 * mouth.jaw - mouth.round - mouth.aside,
        f"mouthStretch{side}": sums["mouthStretch"] - 0.5 * _unit(sums["mouthFrown"]) - mouth.aside,
        f"mouthUpperUp{side}": sums["mouthUpperUp"] * (1 - mouth.round),
        f"noseSneer{side}": sums["noseSneer"],
        f"browOuterUp{side}": sums["browOuterUp"],
        f"browDown{side}": sums["browDown"],
    }


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


IDLE = {
    "eyeBlink": 0.21, "eyeWide": 0.25, "eyeSquint": 0.15, "cheekSquint": 0.2, "noseSneer": 0.15, "brow": 0.22,
    "jawOpen": 0.08, "mouthSmile": 0.12, "mouthFrown": 0.15, "mouthRoll": 0.15, "mouth": 0.12,
}  # fmt: skip
"""Beginning of a shape's name → value up to which it is noise of a face at rest; the first that fits."""


def idle_values(names: tuple[str, ...]) -> Float64Array:
    """(S,) IDLE of each shape."""
    return np.array([next(idle for start, idle in IDLE.items() if name.startswith(start)) for name in names])


def beyond_idle(values_S: Float64Array, idle_S: Float64Array) -> Float64Array:
    """(S,) 0..1: 0 up to the idle value, 1 at 1, straight between."""
    shown: Float64Array = ((values_S - idle_S) / (1 - idle_S)).clip(0, 1)
    return shown
