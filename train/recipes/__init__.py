"""Every recipe by name, and the network of each as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from train.recipes.compact import compact_300w, compact_network
from train.recipes.face_detector import detector_network, face_detector
from train.recipes.recipe import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {"compact-300w": compact_300w, "face-detector": face_detector}
NETWORKS: dict[str, Callable[[Any], tuple[nn.Module, nn.Module]]] = {
    "compact-300w": compact_network,
    "face-detector": detector_network,
}
"""Name of a specification → the network that a checkpoint's weights fit, and the same with decoding, as exported."""
