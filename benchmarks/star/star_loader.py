"""Processor time of making one training item of STAR, without reading and decoding: ours one by one, our batches made
on the CPU (they are meant for a GPU), and the STAR code's.

    python -m benchmarks.star.star_loader [--official CHECKOUT]

An item is mirror, warp and texture of a 300×300 picture, landmarks, point maps and edge maps. CHECKOUT is one of
ZhenglinZhou/STAR (measured at 9b12574; needs imageio and scikit-image): its own functions are then timed in turn with
ours, in the same process, each on one thread. Without it, its time is that of an earlier run on another machine.
Result: benchmarks/results/star_loader.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.shared.record import RESULTS, machine
from benchmarks.star.star_code import face, in_turn, official_module
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.augment.star_augment import StarAugmentation, augment
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.packs.packed_faces import PackedFaces
from startrack.train.sets.star_crop import normalise, roi_from_scale
from startrack.train.targets.star import edge_maps, point_maps, star_edges

EARLIER_MS = 87.0
"""The STAR code's item, WFLW, from an earlier run."""
PICTURE = 300


class Loader:
    """One face of a scheme, and the ways to make items of it."""

    def __init__(self, scheme: LandmarkScheme) -> None:
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (PICTURE, PICTURE, 3), np.uint8)
        self.scheme = scheme
        self.image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)
        self.points = (face(scheme, rng) + 22).astype(np.float32)

    def one(self, seed: int) -> None:
        """An item as the loader of single pictures makes it."""
        roi, rng = roi_from_scale(150, 150, 1.28), np.random.default_rng(seed)
        made = augment(self.image, self.points, roi, self.scheme, augmentation=StarAugmentation(), rng=rng)
        torch.from_numpy(np.ascontiguousarray(made.crop))
        torch.from_numpy(normalise(made.landmarks))
        torch.from_numpy(point_maps(made.landmarks))
        torch.from_numpy(edge_maps(made.landmarks, star_edges(self.scheme)))

    def batches(self, count: int) -> Callable[[int], None]:
        """Batches of so many items on the CPU."""
        faces = PackedFaces(
            scheme=self.scheme,
            pictures=torch.from_numpy(self.image)[None].repeat(count, 1, 1, 1),
            landmarks=torch.from_numpy(self.points)[None].repeat(count, 1, 1).double(),
            zooms=torch.ones(count).double(),
            weights=torch.ones(count),
            names=("made",) * count,
            subsets=("made",) * count,
        )
        made, item = StarBatches(faces, crop_scale=1.25, augmentation=StarAugmentation()), torch.arange(count)

        def run(seed: int) -> None:
            made.prepare(KeyBatch(torch.full_like(item, seed), item), "cpu")

        return run

    def official(self, checkout: Path) -> Callable[[int], None]:
        """An item as the STAR code's data set makes it, its picture already read."""
        dataset = official_dataset(checkout, self.scheme)
        points_5 = np.zeros((5, 2), np.float32)

        def run(seed: int) -> None:
            np.random.seed(seed)
            image, points, _ = dataset.augmentation.process(self.image, self.points, points_5, 1.28, 150.0, 150.0)
            dataset._norm_points(torch.from_numpy(points), 256, 256)
            dataset.encoder.generate_heatmap(points)
            dataset._generate_edgemap(points)
            torch.from_numpy((image.transpose(2, 0, 1).astype(np.float32) - 127.5) / 127.5)

        return run


def official_dataset(checkout: Path, scheme: LandmarkScheme) -> Any:
    """The STAR code's data set, without its lists."""
    if "pandas" not in sys.modules and importlib.util.find_spec("pandas") is None:
        lists = ModuleType("pandas")
        lists.read_csv = lambda *_, **__: None  # type: ignore[attr-defined]
        sys.modules["pandas"] = lists
    return official_module(checkout, "lib.dataset.alignmentDataset").AlignmentDataset(
        io.StringIO("path\tpoints\n"),
        classes_num=[scheme.num_landmarks, len(scheme.edges), scheme.num_landmarks],
        crop_op=True,
        aug_prob=1.0,
        edge_info=[(edge.closed, edge.indices) for edge in star_edges(scheme)],
        flip_mapping=[list(pair) for pair in scheme.flip_pairs],
        is_train=True,
    )


def figures_of(scheme: LandmarkScheme, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds per item, by way."""
    loader = Loader(scheme)
    ways: dict[str, Callable[[int], None]] = {"ours_ms": loader.one}
    if options.official:
        ways["official_ms"] = loader.official(options.official)
    times = in_turn(ways, options.rounds, options.items)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        ways = {"batched": loader.batches(options.batch)}
        batched = in_turn(ways, options.rounds, 1)["batched"]
        times[f"batched_{threads}_threads_core_ms"] = batched / options.batch
    torch.set_num_threads(1)
    official = times.get("official_ms", EARLIER_MS)
    return {name: round(value, 3) for name, value in times.items()} | {"ratio": round(official / times["ours_ms"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, help="checkout of ZhenglinZhou/STAR")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--items", type=int, default=20, help="of each kind in a round")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=RESULTS / "star_loader.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    schemes = {scheme.name: figures_of(scheme, options) for scheme in (IBUG_68, WFLW_98, COFW_29)}
    record = {
        "command": "python -m benchmarks.star.star_loader" + (" --official CHECKOUT" if options.official else ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine() | {"torch": torch.__version__},
        "official": "measured in turn with ours, one process, one thread"
        if options.official
        else f"{EARLIER_MS} ms from an earlier run on another machine: not measured in one run with ours",
        "batch": options.batch,
        "schemes": schemes,
    }
    options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(record["schemes"], indent=2))


if __name__ == "__main__":
    main()
