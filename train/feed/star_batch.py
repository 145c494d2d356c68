"""The input of a STAR training: crops, normalised landmarks and the maps of points and edges."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

# B batch, K landmarks, E edges, S side of the crop, c = S / 4 side of the maps


class StarBatch(NamedTuple):
    """Crops and their targets; one item has no leading B. (A NamedTuple, because torch collates those.)"""

    crops: Tensor
    """(B, S, S, 3) uint8 BGR."""
    landmarks: Tensor
    """(B, K, 2) float32 x, y in -1..1 by pixel borders, (2p + 1) / S - 1, clamped (train/sets/star_crop.py)."""
    point_maps: Tensor
    """(B, K, c, c) float32 0..1 (train/targets/star.py)."""
    edge_maps: Tensor
    """(B, E, c, c) float32 0..1."""
    weight: Tensor
    """(B,) float32, weight of the face in the loss; below 1 for uncertain labels."""
