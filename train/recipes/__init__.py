"""Every recipe by name."""

from __future__ import annotations

from collections.abc import Callable

from train.recipes.compact import compact_300w
from train.recipes.recipe import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {"compact-300w": compact_300w}
