"""Every recipe by name, and the network of each as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from train.recipes.compact import compact_300w, compact_network
from train.recipes.face_detector import detector_network, face_detector
from train.recipes.recipe import Recipe
from train.recipes.star import STAR_SPECS, star_300w, star_300w_small, star_network
from train.recipes.star_cofw import star_cofw
from train.recipes.star_points import star_points
from train.recipes.star_wflw import star_wflw

RECIPES: dict[str, Callable[..., Recipe]] = {
    "compact-300w": compact_300w,
    "face-detector": face_detector,
    "star-300w": star_300w,
    "star-300w-small": star_300w_small,
    "star-wflw": star_wflw,
    "star-cofw": star_cofw,
    "star-points": star_points,
}
NETWORKS: dict[str, Callable[[Any], tuple[nn.Module, nn.Module]]] = {
    "compact-300w": compact_network,
    "face-detector": detector_network,
    **dict.fromkeys((*STAR_SPECS, "star-points"), star_network),
}
"""Name of a specification → the network that a checkpoint's weights fit, and the same with decoding, as exported."""
