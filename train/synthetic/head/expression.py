"""Expressions as weights of the model's shapes, and where the eyes look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats

MAX_GAZE_DEG = (32.0, 20.0)
"""Largest angle of the eyes to a side and up or down."""
UNMIXED = ("Look", "Dilate", "Close")
"""Parts of the names of shapes that random mixtures leave at 0: gaze sets them, or they only undo another shape."""

Span = tuple[float, float]
KINDS: dict[str, tuple[float, dict[str, Span]]] = {
    "neutral": (0.13, {}),
    "smile": (
        0.15,
        {"mouthSmile": (0.3, 0.9), "mouthDimple": (0.0, 0.3), "cheekSquint": (0.1, 0.4), "eyeSquint": (0.1, 0.35)},
    ),
    "grin": (
        0.22,
        {
            "mouthSmile": (0.5, 1.1),
            "mouthDimple": (0.0, 0.3),
            "mouthStretch": (0.0, 0.4),
            "mouthUpperUp": (0.15, 0.6),
            "mouthLowerDown": (0.15, 0.55),
            "mouthRollUpper": (0.0, 0.35),
            "jawOpen": (0.0, 0.2),
            "cheekSquint": (0.2, 0.7),
            "eyeSquint": (0.1, 0.5),
        },
    ),
    "open": (0.08, {"jawOpen": (0.3, 0.9), "mouthStretch": (0.0, 0.3)}),
    "laugh": (
        0.06,
        {
            "jawOpen": (0.3, 0.7),
            "mouthSmile": (0.6, 1.1),
            "mouthUpperUp": (0.2, 0.6),
            "mouthLowerDown": (0.0, 0.4),
            "mouthRollUpper": (0.0, 0.3),
            "cheekSquint": (0.4, 0.9),
            "eyeSquint": (0.3, 0.8),
            "noseSneer": (0.0, 0.3),
        },
    ),
    "surprise": (
        0.05,
        {"jawOpen": (0.2, 0.6), "browInnerUp": (0.3, 0.8), "browOuterUp": (0.3, 0.8), "eyeWide": (0.3, 0.8)},
    ),
    "angry": (
        0.05,
        {"browDown": (0.4, 0.9), "noseSneer": (0.2, 0.6), "mouthFrown": (0.1, 0.4), "mouthPress": (0.1, 0.4)},
    ),
    "sad": (0.05, {"browInnerUp": (0.3, 0.8), "mouthFrown": (0.3, 0.8), "mouthShrugLower": (0.2, 0.5)}),
    "pucker": (0.03, {"mouthPucker": (0.4, 0.9)}),
    "funnel": (0.03, {"mouthFunnel": (0.4, 0.9), "jawOpen": (0.0, 0.3)}),
    "talk": (
        0.09,
        {
            "jawOpen": (0.05, 0.45),
            "mouthFunnel": (0.0, 0.4),
            "mouthUpperUp": (0.0, 0.3),
            "mouthLowerDown": (0.0, 0.4),
            "mouthStretch": (0.0, 0.3),
        },
    ),
    "squint": (0.03, {"eyeSquint": (0.4, 1.0), "cheekSquint": (0.4, 1.0), "noseSneer": (0.1, 0.4)}),
    "random": (0.03, {}),
}
"""Kind → how often it is drawn, and the weights of its shapes; a name without a side sets both.

Smiles are many and broad because photos show them so: FaceMesh sees mouths 1.21 times as wide and twice as open on free
portraits as it saw on rendered faces of format 4 (python -m benchmarks.accuracy.photo_gap)."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """One moment of a face."""

    kind: str
    weights: Floats
    """(E,) of the model's shapes, 0 to about 1."""
    gaze_deg: tuple[float, float]
    """Angles of both eyes from straight ahead in the head's frame: to the subject's left, and up."""


def draw_expression(names: tuple[str, ...], rng: np.random.Generator) -> Expression:
    """An expression and a gaze; shapes that the model lacks are left out."""
    index = {name: number for number, name in enumerate(names)}
    kind = str(rng.choice(list(KINDS), p=np.array([share for share, _ in KINDS.values()])))
    weights = np.zeros(len(names), np.float32)
    strength = rng.random()
    for name, (low, high) in KINDS[kind][1].items():
        value = low + (high - low) * np.clip(strength + rng.normal(0, 0.2), 0, 1)
        for side in ("", "_L", "_R"):
            if name + side in index:
                weights[index[name + side]] += value * (1 + rng.normal(0, 0.12 if side else 0))
    mixed = rng.random(len(names)) < (0.25 if kind == "random" else 0.06)
    mixed &= np.array([not any(part in name for part in UNMIXED) for name in names])
    weights += (mixed * rng.beta(1.2, 3, len(names)) * (0.9 if kind == "random" else 0.6)).astype(np.float32)
    _draw_blink(weights, index, rng)
    gaze = _draw_gaze(rng)
    _look(weights, index, gaze)
    return Expression(kind, np.clip(weights, 0, 1.1), gaze)


def with_gaze(weights: Floats, names: tuple[str, ...], gaze_deg: tuple[float, float], blink: float = 0.0) -> Floats:
    """The weights with the lids following a gaze and shut by a share, as draw_expression sets them."""
    index = {name: number for number, name in enumerate(names)}
    out = weights.copy()
    for side in "LR":
        if f"eyeBlink_{side}" in index:
            out[index[f"eyeBlink_{side}"]] = max(out[index[f"eyeBlink_{side}"]], blink)
    _look(out, index, gaze_deg)
    return np.clip(out, 0, 1.1)


def _draw_blink(weights: Floats, index: dict[str, int], rng: np.random.Generator) -> None:
    lids = [index[name] for name in ("eyeBlink_L", "eyeBlink_R") if name in index]
    chance = rng.random()
    if chance < 0.08:
        weights[lids] = 1.0
    elif chance < 0.3:
        weights[lids] = rng.uniform(0.1, 0.7) * (1 + rng.normal(0, 0.05, len(lids)))
    elif chance < 0.32 and lids:
        weights[lids[int(rng.integers(len(lids)))]] = 1.0


def _draw_gaze(rng: np.random.Generator) -> tuple[float, float]:
    ahead = rng.random() < 0.6
    drawn = rng.normal(0, (9, 5)) if ahead else rng.uniform((-30, -18), (30, 18))
    side, up = (float(np.clip(value, -most, most)) for value, most in zip(drawn, MAX_GAZE_DEG, strict=True))
    return side, up


def _look(weights: Floats, index: dict[str, int], gaze_deg: tuple[float, float]) -> None:
    """Let the lids follow the eyes: ARKit's names, out is away from the nose."""
    side, up = gaze_deg
    outer, inner = ("L", "R") if side > 0 else ("R", "L")
    parts = {f"eyeLookOut_{outer}": abs(side) / 32, f"eyeLookIn_{inner}": abs(side) / 32}
    for eye in "LR":
        parts[f"eyeLook{'Up' if up > 0 else 'Down'}_{eye}"] = abs(up) / 22
        if up < 0:
            parts[f"eyeBlink_{eye}"] = 0.25 * abs(up) / 20
    for name, value in parts.items():
        if name in index:
            weights[index[name]] = min(weights[index[name]] + value, 1.0)
