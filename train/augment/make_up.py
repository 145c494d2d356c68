"""Make-up around an eye: a shadow on both lids and a line along their edges.

Painted eyes look wide open to a network that saw few of them: the dark rim seems to be part of the eye, and a lid that
falls hides nothing of it. The landmarks stay where the lids' edges are.
"""

from __future__ import annotations

import numpy as np

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.blink import LidArches

LEAST_SIZE = 2.0
"""Half the distance of the corners, pixels, below which an eye is left as it is."""
SHADOW_ABOVE, SHADOW_BELOW, LINE = (0.1, 0.8), (0.05, 0.3), (0.03, 0.12)
"""Least and largest width of each, over half the distance of the corners."""


def made_up(image: ImageArray, lids: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A copy of the (H, W, 3) picture with the eye made up at random. lids: (6, 2) pixels."""
    arches = LidArches(lids)
    half = arches.half
    if half < LEAST_SIZE:
        return image
    across, depth = arches.over(image)
    arch = np.clip(1 - across**2, 0, 1)
    above, below = arches.upper * arch - depth, depth - arches.lower * arch
    fade = np.exp(-((np.maximum(np.abs(across) - 1, 0) / rng.uniform(0.1, 0.4)) ** 2))
    cover = np.zeros(image.shape[:2])
    strength = rng.uniform(0.2, 0.9)
    for beyond, widths in ((above, SHADOW_ABOVE), (below, SHADOW_BELOW)):
        shadow = strength * np.exp(-((beyond / (rng.uniform(*widths) * half)) ** 2)) * (beyond > 0)
        cover = np.maximum(cover, shadow)
    line, strength = rng.uniform(*LINE) * half, rng.uniform(0.3, 1.0)
    edges = (above, below) if rng.random() < 0.5 else (above,)
    for beyond in edges:
        cover = np.maximum(cover, strength * np.exp(-((beyond / line) ** 2)))
    mixed = (cover * fade)[..., None]
    colour = rng.uniform(0, 70) + rng.uniform(0, 30, 3)
    painted: ImageArray = np.clip(image * (1 - mixed) + colour * mixed, 0, 255).astype(np.uint8)
    return painted
