"""Processor time of a whole step of a STAR training on a CPU: forward, 12 losses, backward, optimiser and average.

    python -m benchmarks.star.star_step --json star_step.json

The network of star-wflw, four stacks of 256 channels, batch 4, float32, one thread; drawn crops, maps of faces of that
shape. Of the repetitions the one with the smallest sum is shown: other programs can only add to it. The time of the
STAR code was recorded earlier, on such a machine but not in this run, so the ratios are of two runs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared.record import RESULTS, write_result
from benchmarks.star.star_code import face
from startrack.tracker.schemes import WFLW_98
from startrack.train.feed.star_batch import StarBatch
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.recipes.star import STAR_SPECS, official_adam, star_network
from startrack.train.sets.star_crop import normalise
from startrack.train.targets.star import edge_maps, point_maps, star_edges
from startrack.train.weights.ema import WeightAverage, half_life_decay

OFFICIAL_CORE_S = {"forward": 4.1, "losses": 0.7, "backward": 5.7}
"""The STAR code's, batch of 4, from an earlier run."""


def drawn_batch(size: int) -> StarBatch:
    rng = np.random.default_rng(0)
    faces = [face(WFLW_98, rng) for _ in range(size)]
    edges = star_edges(WFLW_98)
    return StarBatch(
        torch.from_numpy(rng.integers(0, 256, (size, 256, 256, 3), np.uint8)),
        torch.from_numpy(np.stack([normalise(points) for points in faces])),
        torch.from_numpy(np.stack([point_maps(points) for points in faces])),
        torch.from_numpy(np.stack([edge_maps(points, edges) for points in faces])),
        torch.ones(size),
    )


def measure(batch: StarBatch, repetitions: int, *, bfloat16: bool) -> dict[str, float]:
    """Core-seconds by part."""
    torch.manual_seed(0)
    model = star_network(STAR_SPECS["star-wflw"])[0].to(memory_format=torch.channels_last).train()
    optimiser, loss = official_adam(model), StackedStarLoss()
    average = WeightAverage(model, half_life_decay(len(batch.crops)), warm_up=False)
    steps = []
    for _ in range(repetitions):
        optimiser.zero_grad(set_to_none=True)
        times_s = [time.process_time()]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            output = model(batch.crops)
        times_s.append(time.process_time())
        total = torch.stack(list(loss(output, batch).values())).sum()
        times_s.append(time.process_time())
        total.backward()  # type: ignore[no-untyped-call]
        times_s.append(time.process_time())
        optimiser.step()
        average.update(model)
        times_s.append(time.process_time())
        steps.append(np.diff(times_s))
    best = min(steps, key=lambda parts: float(parts.sum()))
    return dict(zip(("forward", "losses", "backward", "optimiser and average"), map(float, best), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    batch = drawn_batch(options.batch)
    ours = {name: measure(batch, options.repetitions, bfloat16=name == "bfloat16") for name in ("float32", "bfloat16")}
    ours["float32"]["whole"], official = (sum(ours["float32"].values()), sum(OFFICIAL_CORE_S.values()))
    ours["bfloat16"]["whole"] = sum(ours["bfloat16"].values())
    for name, parts in {**ours, "STAR code": {**OFFICIAL_CORE_S, "whole": official}}.items():
        print(f"{name:10}", *(f"{part} {core_s:.2f}" for part, core_s in parts.items()), "core-s", sep="  ")
    figures = {
        "batch": options.batch,
        "torch": torch.__version__,
        "core_s": ours,
        "official_core_s": {**OFFICIAL_CORE_S, "whole": official},
        "official_measured_in_this_run": False,
        "official_over_ours": {
            part: {**OFFICIAL_CORE_S, "whole": official}[part] / ours["float32"][part]
            for part in (*OFFICIAL_CORE_S, "whole")
        },
    }
    if options.json:
        write_result(RESULTS / options.json.name, figures)


if __name__ == "__main__":
    main()
