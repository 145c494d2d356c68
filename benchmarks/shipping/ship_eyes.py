"""Weights of the recipe eyes → a model of the zoo: spreads calibrated, exported, in 8-bit integers, measured.

    python -m benchmarks.shipping.ship_eyes runs/eyes/weights.safetensors --data runs/faces --extra 300w \\
        --iris-labels irises.jsonl
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.shipping.ship_model import step
from startrack.engines.zoo import zoo_path
from startrack.train.recipes.eyes import eye_network, validation_sets
from startrack.train.sets.eyes import rendered_eyes
from startrack.train.sets.eyes.iris_labels import read_iris_labels
from startrack.train.validation.eye_calibration import calibrate
from startrack.train.validation.eye_validation import read_errors, torch_reader
from startrack.train.weights.checkpoint import load_weights, save_weights


def calibrated(weights: Path, out: Path, data: Path, extra: list[Path], labels: Path | None) -> None:
    """Write `out`: the weights with honest spreads on the held-back faces."""
    held = load_weights(weights)
    network, _ = eye_network(held.spec)  # type: ignore[arg-type]
    network.load_state_dict(held.state)
    faces = rendered_eyes.load(data, "validation")
    sets = validation_sets(faces, extra, read_iris_labels(labels) if labels else {}, held.spec)  # type: ignore[arg-type]
    calibrate(network, [read_errors(torch_reader(network), one) for one in sets.values()])
    save_weights(out, network, held.spec)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="of startrack train: weights.safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder that startrack render made")
    parser.add_argument("--extra", type=Path, action="append", default=[], help="300W as published")
    parser.add_argument("--iris-labels", type=Path, help="of benchmarks/shared/peer_iris.py")
    parser.add_argument("--out", type=Path, default=zoo_path("eyes"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startrack-ship-") as folder:
        honest, plain = Path(folder) / "honest.safetensors", Path(folder) / "plain.onnx"
        calibrated(args.weights, honest, args.data, args.extra, args.iris_labels)
        step("export", "--weights", honest, "--out", plain)
        ranges = next(iter(args.extra), args.data)
        step("quantise", "--weights", plain, "--data", ranges, "--out", args.out, "--overwrite")


if __name__ == "__main__":
    main()
