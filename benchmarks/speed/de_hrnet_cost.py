"""What detail enhancement and DySample cost over HRNet: weights, multiplications and time of one crop on one core.

    python -m benchmarks.speed.de_hrnet_cost

Multiplications are those of convolutions and fully connected layers; DySample's reading of the map is not among them.
Time is the process's own, the smallest and the median of the rounds, the networks taken in turn: other programs can
only add to it. ONNX: largest difference of heatmaps of the exported small DE-HRNet in ONNX Runtime and in torch.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.record import RESULTS, machine
from startrack.engines.graphs.export import export_onnx
from startrack.engines.onnx_engine import OnnxEngine
from startrack.train.metrics.rounding import rounded
from startrack.train.models.de_hrnet import DeHRNet, DeHrnetChoices
from startrack.train.models.hrnet import HRNet
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS, de_hrnet_network

LANDMARKS = 17
HEIGHT, WIDTH = 384, 288


def networks(width: int) -> dict[str, nn.Module]:
    """HRNet, and the additions to it."""
    sampled = DeHRNet(LANDMARKS, width=width)
    sampled.details.clear()
    return {
        "hrnet": HRNet(LANDMARKS, width=width),
        "dysample": sampled,
        "dysample_and_dem": DeHRNet(LANDMARKS, width=width),
        "dysample_and_dem_per_module": DeHRNet(LANDMARKS, width=width, choices=DeHrnetChoices(placement="module")),
    }


def sizes(width: int) -> dict[str, dict[str, float]]:
    """Weights, and billions of multiply-adds of one crop."""
    costs = {}
    for name, network in networks(width).items():
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network.eval()(torch.zeros(1, 3, HEIGHT, WIDTH))
        parameters = sum(value.numel() for value in network.parameters())
        costs[name] = {"parameters": parameters, "gmacs": counter.get_total_flops() / 2e9}
    return costs


def times(candidates: dict[str, nn.Module], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time of one crop."""
    crop = torch.rand(1, 3, HEIGHT, WIDTH)
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    with torch.inference_mode():
        for number in range(rounds + 1):
            for name, network in candidates.items():
                started = time.process_time()
                network(crop)
                if number:  # the first round allocates
                    taken[name].append(1000 * (time.process_time() - started))
    return {name: {"min_ms": min(each), "median_ms": statistics.median(each)} for name, each in taken.items()}


def onnx_difference() -> float:
    """Largest difference of heatmaps over the largest heatmap, of a network whose parts all do something."""
    torch.manual_seed(0)
    spec = DE_HRNET_SPECS["dehrnet-coco-small"]
    network, deployed = de_hrnet_network(spec)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    crops = torch.randint(0, 256, (4, spec.input_size, spec.input_size, 3), dtype=torch.uint8)
    network.train()
    for _ in range(5):
        network(crops)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "model.onnx"
        export_onnx(deployed.eval(), spec, path, half_weights=False)
        expected = deployed(crops).heatmaps.numpy()
        with OnnxEngine(path) as engine:
            heatmaps = engine(crops.numpy(), heatmaps=True).heatmaps
    return float(np.abs(heatmaps - expected).max() / max(1.0, np.abs(expected).max()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "de_hrnet_cost.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"w32": sizes(32), "w48": sizes(48)}
    print(json.dumps(figures, indent=2), flush=True)
    timed = times({name: network.eval() for name, network in networks(32).items()}, arguments.rounds)
    figures["w32"] = {name: figure | timed[name] for name, figure in figures["w32"].items()}
    print(json.dumps(timed, indent=2), flush=True)
    record = {
        "command": shlex.join(["python", "-m", "benchmarks.speed.de_hrnet_cost", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine() | {"torch": metadata.version("torch"), "threads": 1},
        "input": f"1×3×{HEIGHT}×{WIDTH}, {LANDMARKS} landmarks, float32",
        "networks": figures,
        "onnx_difference": f"{onnx_difference():.1e}",
    }
    arguments.out.write_text(json.dumps(rounded(record), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
