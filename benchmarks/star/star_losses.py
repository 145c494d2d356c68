"""Processor time of the losses of a STAR training's step, on one core: ours and the STAR code's, in one run.

    python -m benchmarks.star.star_losses [--official CHECKOUT]

STAR, point maps and edge maps of four stacks, 12 terms of a batch of 4, float32: the terms alone, and with the
gradients of the network's maps. CHECKOUT is one of ZhenglinZhou/STAR (measured at 9b12574): its own losses are then
timed in turn with ours, in the same process, on the same maps, and both sums are compared. Without it, its time is that
of an earlier run on another machine. Result: benchmarks/results/star_losses.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared.record import RESULTS, machine
from benchmarks.star.star_code import face, in_turn, official_module
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.feed.star_batch import StarBatch
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.metrics.rounding import rounded
from startrack.train.models.star_hourglass import StarOutput
from startrack.train.sets.star_crop import normalise
from startrack.train.targets.star import edge_maps, point_maps, star_edges

STACKS = 4
EARLIER_MS = 700.0
"""The STAR code's losses, batch of 4, from an earlier run."""
AGREEMENT = 1e-4
"""Largest relative difference of the sum of the terms: both are float32."""


class Step:
    """Targets of faces and maps like a network's, and the losses between them."""

    def __init__(self, scheme: LandmarkScheme, batch: int) -> None:
        rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
        faces, edges = [face(scheme, rng) for _ in range(batch)], star_edges(scheme)
        self.targets = StarBatch(
            torch.zeros(batch, 256, 256, 3, dtype=torch.uint8),
            torch.from_numpy(np.stack([normalise(points) for points in faces])),
            torch.from_numpy(np.stack([point_maps(points) for points in faces])),
            torch.from_numpy(np.stack([edge_maps(points, edges) for points in faces])),
            torch.ones(batch),
        )

        def maps(like: Tensor) -> list[Tensor]:
            return [0.8 * like + 0.2 * torch.rand(like.shape, generator=generator) for _ in range(STACKS)]

        points = self.targets.point_maps
        self.output = StarOutput(maps(points), maps(points), maps(self.targets.edge_maps))
        self.loss = StackedStarLoss()

    def ours(self, output: StarOutput) -> Tensor:
        return torch.stack(list(self.loss(output, self.targets).values())).sum()

    def official(self, checkout: Path) -> Callable[[StarOutput], Tensor]:
        """The terms and their factors as compute_loss of the STAR code's lib/utility.py adds them up."""
        losses = official_module(checkout, "lib.loss")
        star, maps, targets = losses.STARLoss_v2(), losses.AWingLoss(), self.targets
        landmarks = targets.landmarks.float()

        def terms(output: StarOutput) -> Tensor:
            total = torch.zeros(())
            for stack in range(STACKS):
                factor = 2.0 ** (stack - STACKS + 1)
                total = total + factor * star(output.heatmaps[stack], landmarks)
                total = total + 10 * factor * maps(output.point_maps[stack], targets.point_maps)
                total = total + 10 * factor * maps(output.edge_maps[stack], targets.edge_maps)
            return total

        return terms

    def timed(self, losses: Callable[[StarOutput], Tensor], *, gradients: bool) -> Callable[[int], None]:
        """What in_turn calls; the maps ask for gradients in both cases, as in training."""
        leaves = StarOutput(*([maps.clone().requires_grad_() for maps in stacks] for stacks in self.output))

        def run(_: int) -> None:
            total = losses(leaves)
            if gradients:
                torch.autograd.grad(total, [maps for stacks in leaves for maps in stacks])

        return run


def figures_of(scheme: LandmarkScheme, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds by way, and the STAR code's over ours."""
    step = Step(scheme, options.batch)
    sides = {"ours": step.ours}
    if options.official:
        sides["official"] = step.official(options.official)
        sums = {name: losses(step.output).item() for name, losses in sides.items()}
        assert abs(sums["ours"] / sums["official"] - 1) < AGREEMENT, sums
    ways = {
        f"{side}_{part}_ms": step.timed(losses, gradients=part == "with_gradients")
        for part in ("terms", "with_gradients")
        for side, losses in sides.items()
    }
    times = in_turn(ways, options.rounds, 2)
    if not options.official:
        return times | {"ratio": EARLIER_MS / times["ours_with_gradients_ms"]}
    parts = ("terms", "with_gradients")
    return times | {f"ratio_{part}": times[f"official_{part}_ms"] / times[f"ours_{part}_ms"] for part in parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, help="checkout of ZhenglinZhou/STAR")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS / "star_losses.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    schemes = {scheme.name: figures_of(scheme, options) for scheme in (IBUG_68, WFLW_98, COFW_29)}
    for name, figures in schemes.items():
        print(name, " ".join(f"{what} {value:.1f}" for what, value in figures.items()))
    record = {
        "command": "python -m benchmarks.star.star_losses" + (" --official CHECKOUT" if options.official else ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine() | {"torch": torch.__version__},
        "official": "measured in turn with ours, one process, one thread"
        if options.official
        else f"{EARLIER_MS} ms from an earlier run on another machine: not measured in one run with ours",
        "batch": options.batch,
        "schemes": schemes,
    }
    options.out.write_text(json.dumps(rounded(record), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
