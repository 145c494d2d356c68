"""Landmark data sets by name: load(root, split) → samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from startrack.train.sets import coco_points, cofw, ibug_300vw, ibug_300w, points_folder, rendered, star_tsv, wflw
from startrack.train.sets.sample import Sample

DATASETS: dict[str, Callable[[Path, str], list[Sample]]] = {
    "300w": ibug_300w.load,
    "300w-private": ibug_300w.load_private,
    "wflw": wflw.load,
    "cofw": cofw.load,
    "300vw": ibug_300vw.load,
    "tsv": star_tsv.load,
    "folder": points_folder.load,
    "coco-points": coco_points.load,
    "rendered": rendered.load,
}
"""docs/data.md has the expected folders."""
