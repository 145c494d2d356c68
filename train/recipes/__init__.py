"""Every recipe by name, and the network of each as it is deployed."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from engines.base import ModelSpec
from train.recipes.compact import compact_300w, compact_network
from train.recipes.recipe import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {"compact-300w": compact_300w}
NETWORKS: dict[str, Callable[[ModelSpec], tuple[nn.Module, nn.Module]]] = {"compact-300w": compact_network}
"""ModelSpec.name → (the network that a checkpoint's weights fit, the same with decoding, as it is exported)."""
