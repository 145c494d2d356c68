"""The STAR code's own functions and ours: from a checkout of ZhenglinZhou/STAR, in turn, on a made face."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from startrack.tracker.schemes import LandmarkScheme


def official_module(checkout: Path, name: str) -> ModuleType:
    """A module of the checkout, as lib.dataset.alignmentDataset, alone: the package around it imports all of training.

    Raises SystemExit if the checkout is not one.
    """
    if not (checkout / "lib/dataset/alignmentDataset.py").is_file():
        raise SystemExit(f"{checkout}: no lib/dataset/alignmentDataset.py; expected a checkout of ZhenglinZhou/STAR")
    package = ModuleType("lib")
    package.__path__ = [str(checkout / "lib")]
    sys.modules["lib"] = package
    return importlib.import_module(name)


def face(scheme: LandmarkScheme, rng: np.random.Generator) -> np.ndarray:
    """(K, 2) landmarks that make edges of a face's size: each edge a ring or an arch within a crop of 256 pixels."""
    points = rng.uniform(40, 215, (scheme.num_landmarks, 2))
    for edge in scheme.edges:
        turn = np.linspace(0, 2 * np.pi if edge.closed else np.pi, len(edge.indices), endpoint=not edge.closed)
        radius = 90 if edge.name == "jaw" else 22
        centre = (128, 130) if edge.name == "jaw" else rng.uniform(60, 195, 2)
        points[list(edge.indices)] = np.stack([np.cos(turn), np.sin(turn) / 2], -1) * radius + centre
    return points


def core_ms(work: Callable[[int], None], seeds: Sequence[int]) -> float:
    """Mean processor time of a call, in milliseconds."""
    start = time.process_time()
    for seed in seeds:
        work(seed)
    return 1e3 * (time.process_time() - start) / len(seeds)


def in_turn(ways: dict[str, Callable[[int], None]], rounds: int, items: int) -> dict[str, float]:
    """Smallest over rounds of each way's mean milliseconds over the same items: other programs can only add to it.
    Every round times all ways, so that load hits them equally."""
    for work in ways.values():
        work(0)
    times = [{name: core_ms(work, range(items)) for name, work in ways.items()} for _ in range(rounds)]
    return {name: min(one[name] for one in times) for name in ways}
