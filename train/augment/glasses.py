"""Glasses before an eye: a rim, a tint, and what the lens mirrors.

A lid that falls behind a lens is seen less well than one without: the mirrored window stays bright over it, and the rim
runs where a lid's edge could be. The landmarks stay where they are.
"""

# H rows and W columns of pixels

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.blink import LidArches
from startrack.train.augment.make_up import LEAST_SIZE

Floats = NDArray[np.float64]
HALF_WIDTH, HALF_HEIGHT, CORNERS = (1.3, 2.1), (0.75, 1.5), (2.0, 5.0)
"""Of a lens, over half the distance of the eye's corners; exponent of its outline, an ellipse or nearly a rectangle."""
OFF = 0.3
"""How far its middle lies from the eye's at most, in the same unit."""
RIM, MOST_TINT, MOST_GLARE = (0.03, 0.25), 0.6, 0.75
RIMLESS = 0.25
"""Share of lenses without a rim."""


def with_glasses(image: ImageArray, lids: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A copy of the (H, W, 3) picture with a lens before the eye. lids: (6, 2) pixels."""
    arches = LidArches(lids)
    if arches.half < LEAST_SIZE:
        return image
    across, depth = arches.over(image)
    x, y = across - rng.uniform(-OFF, OFF), depth / arches.half - rng.uniform(-OFF, OFF)
    width, height, power = rng.uniform(*HALF_WIDTH), rng.uniform(*HALF_HEIGHT), rng.uniform(*CORNERS)
    # distance from the outline, about, in half distances of the corners; negative on the lens
    away = ((np.abs(x) / width) ** power + (np.abs(y) / height) ** power) ** (1 / power) - 1
    away *= min(width, height)
    soft = 1.5 / arches.half
    lens = np.clip(0.5 - away / soft, 0, 1)
    tint = rng.uniform(0, MOST_TINT) ** 2
    painted = image * (1 - tint * lens[..., None]) + (tint * lens)[..., None] * rng.uniform(0, 80, 3)
    glare = lens * _mirrored(x / width, y / height, rng)
    painted += glare[..., None] * (rng.uniform(150, 255) + rng.uniform(-40, 40, 3) - painted)
    if rng.random() >= RIMLESS:
        half_rim = rng.uniform(*RIM) / 2
        rim = np.clip(0.5 + (half_rim - np.abs(away - half_rim)) / soft, 0, 1) * rng.uniform(0.6, 1.0)
        colour = rng.uniform(0, 60) + rng.uniform(0, 40, 3) if rng.random() < 0.7 else rng.uniform(60, 230, 3)
        painted += rim[..., None] * (colour - painted)
    result: ImageArray = np.clip(painted, 0, 255).astype(np.uint8)
    return result


def _mirrored(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """(H, W) 0..1, how far a bright place is mirrored: one or two soft stripes or windows, or a veil over the lens.
    x, y: −1 to 1 on the lens."""
    if rng.random() < 0.3:
        return np.full(x.shape, rng.uniform(0, 0.25))
    cover = np.zeros(x.shape)
    for _ in range(rng.integers(1, 3)):
        angle = rng.uniform(0, np.pi)
        along = np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.8, 0.8)
        beside = np.cos(angle) * y - np.sin(angle) * x - rng.uniform(-0.8, 0.8)
        thin, long, edge = rng.uniform(0.08, 0.4), rng.uniform(0.2, 1.5), rng.uniform(0.03, 0.3)
        patch = np.clip((thin - np.abs(along)) / edge, 0, 1) * np.clip((long - np.abs(beside)) / edge, 0, 1)
        cover = np.maximum(cover, rng.uniform(0.1, MOST_GLARE) * patch)
    return cover
