"""Trained weights → a model of the zoo: exported, in 8-bit integers, its covariances calibrated, measured.

Each step is a command of startrack's and is printed. The model's float32 twin is kept next to it. The test set is not
touched: `python -m benchmarks.speed.accuracy_speed` runs each shipped file on it once.

    python -m benchmarks.shipping.ship_model runs/compact/weights.safetensors --size m --data 300w
    python -m benchmarks.shipping.ship_model runs/free/weights.safetensors --size free --data faces --judge 300w

The free model's ranges and covariances come from rendered faces; 300W only judges it. Its float twin is not shipped.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.shared.processes import ROOT
from benchmarks.shared.record import model_result
from startrack.engines.zoo import FREE, MODELS, zoo_path


def step(*words: object) -> None:
    """One command of startrack's or, if it begins with a dot, a benchmark."""
    first, *rest = (str(word) for word in words)
    command = ["-m", f"benchmarks{first}", *rest] if first.startswith(".") else ["cli.py", first, *rest]
    print(f"$ python {shlex.join(command)}", flush=True)
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="of startrack train: weights.safetensors")
    parser.add_argument("--size", choices=MODELS, required=True)
    parser.add_argument("--data", type=Path, required=True, help="300W as published; of free: rendered faces")
    parser.add_argument("--judge", type=Path, help="of free: 300W as published")
    parser.add_argument("--float", action="store_true", help="leave it in float32")
    args = parser.parse_args()
    if (args.size == FREE) != (args.judge is not None):
        parser.error(f"--judge and --size {FREE} go together")
    weights, data = args.weights.resolve(), args.data.resolve()
    judge = data if args.judge is None else args.judge.resolve()
    faces = ("--data", data, "--dataset", "rendered" if args.size == FREE else "300w")
    model = zoo_path(MODELS[args.size])
    with tempfile.TemporaryDirectory(prefix="startrack-ship-") as folder:
        plain, narrow = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        step("export", "--weights", weights, "--out", plain)
        if not args.float:
            step("quantise", "--weights", plain, *faces, "--out", narrow)
        # each by its own errors: what quantisation adds belongs into the covariances
        chosen = plain if args.float else narrow
        step("calibrate", "--weights", chosen, *faces, "--out", model, "--overwrite")
        if not args.float and args.size != FREE:
            twin = zoo_path(f"{MODELS[args.size]}-float")
            step("calibrate", "--weights", plain, "--data", data, "--out", twin, "--overwrite")
            step("evaluate", "--weights", twin, "--data", data, "--split", "validation")
    out = model_result("300w_validation", model)
    step("evaluate", "--weights", model, "--data", judge, "--split", "validation", "--json", out)
    step(".accuracy.detector_box_accuracy", judge, "--weights", model)
    step(".accuracy.robustness", judge, "--weights", model)


if __name__ == "__main__":
    main()
