"""Landmark data sets by name: load(root, split) → samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from train.data import ibug_300w
from train.data.sample import Sample

DATASETS: dict[str, Callable[[Path, str], list[Sample]]] = {"300w": ibug_300w.load}
