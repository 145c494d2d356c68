"""The cost of a landmark network on this CPU: weights, multiplications and milliseconds of a crop, float and 8-bit.

    python -m benchmarks.speed.network_cost

Untrained networks of the compact family, one thread in ONNX Runtime, taken in turn. Multiplications say little of the
time here: full convolutions run at several times the rate of the depthwise ones that others save them by.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_engine
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.quantise import quantise
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import compact_spec

CALIBRATION_CROPS = 4
"""Of noise: ranges do not change the time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the family."""

    input_size: int = 128
    stacks: int = 2
    widths: tuple[int, ...] = (64, 96, 128, 128)
    inner: float = 1.0
    depthwise: bool = False

    def network(self) -> CompactHourglass:
        torch.manual_seed(0)
        network = CompactHourglass(68, stacks=self.stacks, widths=self.widths, inner=self.inner)
        return separated(network) if self.depthwise else network


CANDIDATES: Mapping[str, Candidate] = {
    "S: one stack": Candidate(stacks=1),
    "two stacks": Candidate(),
    "M: two stacks, half the channels inside blocks": Candidate(inner=0.5),
    "one stack, half the channels inside blocks": Candidate(stacks=1, inner=0.5),
    "three stacks, half the channels inside blocks": Candidate(stacks=3, inner=0.5),
    "three stacks": Candidate(stacks=3),
    "L: two stacks, 192 px": Candidate(input_size=192),
    "two stacks, 192 px, half the channels inside blocks": Candidate(input_size=192, inner=0.5),
    "two stacks, 256 px": Candidate(input_size=256),
    "one stack, 192 px": Candidate(input_size=192, stacks=1),
    "two stacks, half as wide": Candidate(widths=(32, 48, 64, 64)),
    "two stacks, half as wide again": Candidate(widths=(96, 144, 192, 192)),
    "two stacks, 96 channels at every size": Candidate(widths=(96, 96, 96, 96)),
    "two stacks, depthwise": Candidate(depthwise=True),
    "two stacks, depthwise, twice as wide": Candidate(widths=(128, 192, 256, 256), depthwise=True),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one crop."""

    parameters: int
    megamacs: float
    """10⁶ multiply-adds of convolutions and fully connected layers."""
    float_ms: float
    int8_ms: float


def separated(network: CompactHourglass) -> CompactHourglass:
    """Each 3×3 convolution and its norm as a depthwise one and a 1×1 with the norm, in place."""
    for pair in [module for module in network.modules() if isinstance(module, nn.Sequential) and len(module) == 2]:
        conv, norm = pair
        if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3) and conv.in_channels > 3:
            wide, out = conv.in_channels, conv.out_channels
            pair[0] = nn.Conv2d(wide, wide, 3, conv.stride, 1, groups=wide, bias=False)
            pair[1] = nn.Sequential(nn.Conv2d(wide, out, 1, bias=False), norm)
    return network


def work(candidate: Candidate) -> tuple[int, float]:
    """Weights, and 10⁶ multiply-adds."""
    network = candidate.network().eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros((1, candidate.input_size, candidate.input_size, 3), dtype=torch.uint8))
    return sum(value.numel() for value in network.parameters()), counter.get_total_flops() / 2e6


def write_models(name: str, candidate: Candidate, folder: Path) -> dict[str, Path]:
    """Its files, float and 8-bit."""
    spec = compact_spec("candidate", candidate.input_size)
    stem = "".join(letter if letter.isalnum() else "-" for letter in name)
    plain, narrow = folder / f"{stem}-float.onnx", folder / f"{stem}-int8.onnx"
    export_onnx(SoftmaxLandmarks(candidate.network(), spec).eval(), spec, plain)
    shape = (CALIBRATION_CROPS, candidate.input_size, candidate.input_size, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    quantise(plain, [crops], narrow)
    return {"float": plain, "int8": narrow}


def times(models: Mapping[tuple[str, str], Path], runs: int) -> dict[tuple[str, str], float]:
    """Median milliseconds of a crop, the models in turn."""
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in models}
    with ExitStack() as stack:
        engines = {key: stack.enter_context(load_engine(path, "cpu", threads=1)) for key, path in models.items()}
        crops = {
            key: np.random.default_rng(0).integers(0, 256, (1, *[engine.spec.input_size] * 2, 3), dtype=np.uint8)
            for key, engine in engines.items()
        }
        for run in range(runs + 5):
            for key, engine in engines.items():
                started = time.perf_counter()
                engine(crops[key])
                if run >= 5:
                    taken[key].append(1e3 * (time.perf_counter() - started))
    return {key: statistics.median(each) for key, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--json", type=Path, default=RESULTS / "network_cost.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = {
            (name, kind): path
            for name, candidate in CANDIDATES.items()
            for kind, path in write_models(name, candidate, Path(folder)).items()
        }
        taken = times(models, arguments.runs)
    costs = {
        name: Cost(*work(candidate), taken[name, "float"], taken[name, "int8"])
        for name, candidate in CANDIDATES.items()
    }
    print("| network | weights, 10⁶ | multiply-adds, 10⁶ | float, ms | 8-bit, ms |\n|---|---|---|---|---|")
    for name, cost in costs.items():
        figures = (
            f"{cost.parameters / 1e6:.1f}",
            f"{cost.megamacs:.0f}",
            f"{cost.float_ms:.1f}",
            f"{cost.int8_ms:.1f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")
    write_result(arguments.json, {"runs": arguments.runs, "candidates": {k: asdict(v) for k, v in costs.items()}})


if __name__ == "__main__":
    main()
