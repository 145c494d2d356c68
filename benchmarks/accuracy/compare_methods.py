"""STAR, Adaptive Wing and HRNet-W18 at the size of a CPU, under the same training and measurement on 300W.

    python -m benchmarks.accuracy.compare_methods data/300w runs/compare --epochs 40

The same faces, 128×128 crops and epochs for each, networks in bfloat16; augmentation, loss and schedule are each
method's own. NME is inter-ocular, per cent, with the tracker's crop, without flip. Choose nothing by the test sets:
epochs and sizes were fixed before. A training that was cut off goes on when the command is given again, with the same
epochs.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.record import RESULTS, machine
from startrack.engines.torch_engine import TorchEngine
from startrack.train.evaluation.evaluate import evaluate
from startrack.train.loop.device import Precision
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.metrics.rounding import rounded
from startrack.train.recipes import RECIPES
from startrack.train.recipes.load import load_landmark_network
from startrack.train.sets import ibug_300w

METHODS = ("star-300w-small", "awing-300w-small", "hrnet-300w-small")
PRECISION: Precision = "bfloat16"
SPLITS = ("validation", "common", "challenging", "full")


def trained(method: str, data: Path, out: Path, epochs: int) -> tuple[Path, float | None]:
    """Weights of a training, and the minutes it took; None if it was cut off between."""
    weights, done = out / "weights.safetensors", out / "done"
    if not done.exists():
        started = time.monotonic()
        resume = (out / "training.pt").exists()
        train(RECIPES[method](data, epochs=epochs), TrainingOptions(out=out, resume=resume, precision=PRECISION))
        done.write_text(json.dumps(None if resume else (time.monotonic() - started) / 60))
    return weights, json.loads(done.read_text())


def measured(weights: Path, data: Path) -> dict[str, Any]:
    """Size of a network and its figures."""
    spec, deployed = load_landmark_network(weights)
    crops = torch.zeros(1, spec.input_size, spec.input_size, 3, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        deployed.eval()(crops)
    engine = TorchEngine(deployed, spec)
    nme = {split: evaluate(engine, ibug_300w.load(data, split)).summary().nme for split in SPLITS}
    parameters = sum(value.numel() for value in deployed.parameters())
    return {"parameters": parameters, "gmacs": counter.get_total_flops() / 2e9, "nme": nme}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=sorted(RECIPES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "methods_300w.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = {}
    for method in arguments.methods:
        weights, minutes = trained(method, arguments.data, arguments.runs / method, arguments.epochs)
        figures[method] = {"minutes": minutes, **measured(weights, arguments.data)}
        print(method, json.dumps(figures[method]), flush=True)
    options = [f"--epochs {arguments.epochs}", f"--methods {shlex.join(arguments.methods)}"]
    record = {
        "command": " ".join(["python -m benchmarks.accuracy.compare_methods DATA RUNS", *options]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine() | {"torch": metadata.version("torch"), "threads": arguments.threads},
        "epochs": arguments.epochs,
        "precision": PRECISION,
        "methods": figures,
    }
    arguments.out.write_text(json.dumps(rounded(record), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
