"""The official 4-stack STAR network on one CPU core: ONNX Runtime against torch, and what export and loading take.

Random weights: time does not depend on them. Both run the same crops in turn, one at a time, so that whatever else the
machine does hits both; what counts is CPU time.

    python -m benchmarks.star.star_engine
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import torch

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_engine
from startrack.engines.base import CropArray, Engine, ModelSpec
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.export_half import export_half
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.torch_engine import TorchEngine
from startrack.train.recipes.networks import build_network

LOADS = 2


def cpu_seconds(engine: Engine, crop: CropArray) -> float:
    started = time.process_time()
    engine(crop)
    return time.process_time() - started


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds that it takes; wall time is that of a machine which may do other things."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="of each engine, after one to warm up")
    parser.add_argument("--out", type=Path, default=RESULTS / "star_engine.json")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    spec = ModelSpec("star-300w", "ibug_68", num_landmarks=68, input_size=256, heatmap_size=64, crop_scale=1.25)
    _, deployed = build_network(spec)
    crops = np.random.default_rng(0).integers(0, 256, (1, spec.input_size, spec.input_size, 3), dtype=np.uint8)
    report: list[str] = []
    with tempfile.TemporaryDirectory(prefix="startrack-star-") as folder:
        full, path, half = (Path(folder) / f"{name}.onnx" for name in ("full", spec.name, "half"))
        export = timed(lambda: export_onnx(deployed, spec, full, half_weights=False))
        # as it would be shipped
        write_model(onnx.load(full), spec, path)
        to_half = timed(lambda: report.append(export_half(full, half).to_text()))
        loads = [timed(lambda: load_engine(path, "cpu").close()) for _ in range(LOADS)]
        with load_engine(full, "cpu") as runtime, TorchEngine(deployed, spec) as eager:
            engines = {"ONNX Runtime": runtime, "torch eager": eager}
            times: dict[str, list[float]] = {name: [] for name in engines}
            for _ in range(args.runs + 1):
                for name, engine in engines.items():
                    times[name].append(cpu_seconds(engine, crops))
            apart = float(np.abs(runtime(crops).points - eager(crops).points).max())
        cpu = {name: median(values[1:]) for name, values in times.items()}
        figures: dict[str, Any] = {
            "network": f"{spec.name}, {sum(value.numel() for value in deployed.parameters()) / 1e6:.1f} M weights",
            "runs": args.runs,
            "cpu_s_per_face": cpu,
            "ratio": cpu["ONNX Runtime"] / cpu["torch eager"],
            "largest_difference_px": apart,
            "export": export,
            "to_half": to_half,
            "half": report[0],
            "load": {"first, with the import of ONNX Runtime": loads[0], "again": loads[1]},
            "file_mb": path.stat().st_size / 1e6,
            "torch": torch.__version__,
        }
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))
        write_result(args.out, figures, model=path)


if __name__ == "__main__":
    main()
