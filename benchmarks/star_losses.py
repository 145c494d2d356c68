"""Processor time of a STAR training step's losses, and of making one training item, on one core.

    python -m benchmarks.star_losses

Losses: STAR, point maps and edge maps of four stacks, 12 terms, forward and backward, float32. Item: mirror, warp and
texture of a 300×300 picture, then point maps, edge maps and the network's input; without reading and decoding. The
smallest of the repetitions is shown: other programs can only add to it.

One core of an Intel Xeon, busy with other work, torch 2.13.0, OpenCV 5.0.0, 20 November 2026:

                  12 losses, batch 4   one item: augment   points    edges    input      all
    ibug_68             0.159 core-s               0.67 ms  0.14 ms  1.10 ms  0.11 ms  2.02 ms
    wflw_98             0.241 core-s               0.63 ms  0.20 ms  1.11 ms  0.11 ms  2.05 ms
    cofw_29             0.069 core-s               0.63 ms  0.09 ms  1.17 ms  0.11 ms  2.01 ms
    STAR code           0.700 core-s                                                  87.00 ms

The last line is from an earlier run of the STAR code, so it was not measured in one run with the others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from train.data.star_augment import StarAugmentation, augment
from train.data.star_batch import StarBatch
from train.data.star_crop import network_input, normalise, roi_from_scale
from train.data.targets import edge_maps, point_maps, star_edges
from train.losses.star_stacks import StackedStarLoss
from train.models.star_hourglass import StarOutput

STACKS = 4
OFFICIAL_LOSSES_S = 0.7
OFFICIAL_ITEM_MS = 87.0
"""The STAR code's, from an earlier run: batch of 4, 12 terms, forward and backward; one item without decoding."""


def face(scheme: LandmarkScheme, rng: np.random.Generator) -> np.ndarray:
    """(K, 2) landmarks that make edges of a face's size: each edge a ring or an arch within a crop of 256 pixels."""
    points = rng.uniform(40, 215, (scheme.num_landmarks, 2))
    for edge in scheme.edges:
        turn = np.linspace(0, 2 * np.pi if edge.closed else np.pi, len(edge.indices), endpoint=not edge.closed)
        radius = 90 if edge.name == "jaw" else 22
        centre = (128, 130) if edge.name == "jaw" else rng.uniform(60, 195, 2)
        points[list(edge.indices)] = np.stack([np.cos(turn), np.sin(turn) / 2], -1) * radius + centre
    return points


def core_ms(work: Callable[[], object], repetitions: int) -> float:
    """Smallest processor time of a call, in milliseconds, after two calls that do not count."""
    times_s = []
    for _ in range(repetitions + 2):
        start = time.process_time()
        work()
        times_s.append(time.process_time() - start)
    return 1e3 * min(times_s[2:])


def losses_ms(scheme: LandmarkScheme, batch: int, repetitions: int) -> float:
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    faces = [face(scheme, rng) for _ in range(batch)]
    edges = star_edges(scheme)
    targets = StarBatch(
        torch.zeros(batch, 256, 256, 3, dtype=torch.uint8),
        torch.from_numpy(np.stack([normalise(points) for points in faces])),
        torch.from_numpy(np.stack([point_maps(points) for points in faces])),
        torch.from_numpy(np.stack([edge_maps(points, edges) for points in faces])),
        torch.ones(batch),
    )

    def outputs(like: Tensor) -> list[Tensor]:
        return [(0.8 * like + 0.2 * torch.rand(like.shape, generator=generator)) for _ in range(STACKS)]

    drawn = StarOutput(outputs(targets.point_maps), outputs(targets.point_maps), outputs(targets.edge_maps))
    loss = StackedStarLoss()

    def step() -> None:
        leaves = StarOutput(*([maps.clone().requires_grad_() for maps in stack] for stack in drawn))
        torch.stack(list(loss(leaves, targets).values())).sum().backward()  # type: ignore[no-untyped-call]

    return core_ms(step, repetitions)


def item_ms(scheme: LandmarkScheme, repetitions: int) -> dict[str, float]:
    """By part: an image's way from the decoded picture to tensors."""
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (300, 300, 3), np.uint8), (0, 0), 2).astype(np.uint8)
    points, edges, roi = face(scheme, rng) + 22, star_edges(scheme), roi_from_scale(150, 150, 1.28)
    augmentation = StarAugmentation()
    crop = augment(image, points, roi, scheme, augmentation=augmentation, rng=rng)

    def twenty() -> None:
        for seed in range(20):
            augment(image, points, roi, scheme, augmentation=augmentation, rng=np.random.default_rng(seed))

    return {
        "augment": core_ms(twenty, max(repetitions // 4, 3)) / 20,
        "points": core_ms(lambda: point_maps(crop.landmarks), repetitions),
        "edges": core_ms(lambda: edge_maps(crop.landmarks, edges), repetitions),
        "input": core_ms(lambda: network_input(crop.crop), repetitions),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(
        f"{'':10}{'12 losses, batch ' + str(options.batch):>22}   one item: augment   points    edges    input      all"
    )
    for scheme in (IBUG_68, WFLW_98, COFW_29):
        loss = losses_ms(scheme, options.batch, options.repetitions)
        parts = item_ms(scheme, options.repetitions)
        times = "".join(f"{value:>6.2f} ms" for value in (*parts.values(), sum(parts.values())))
        print(f"{scheme.name:10}{loss / 1e3:>15.3f} core-s{'':13}{times}")
    official = f"{OFFICIAL_LOSSES_S:>15.3f} core-s{'':49}{OFFICIAL_ITEM_MS:>6.2f} ms"
    print(f"{'STAR code':10}{official}   (batch 4; not measured in one run)")


if __name__ == "__main__":
    main()
