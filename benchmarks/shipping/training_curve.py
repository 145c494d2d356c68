"""The curves of a training's log as a results file, and as a picture.

python -m benchmarks.shipping.training_curve runs/star --trained-by "startrack train …" --json star.json --plot star.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from benchmarks.shared.record import RESULTS, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of log.jsonl and weights.safetensors")
    parser.add_argument("--trained-by", required=True, help="command of the training")
    parser.add_argument("--note", default="", help="circumstances of the training")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    lines = [json.loads(line) for line in (options.run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    curves = {name: [line[name] for line in lines] for name in lines[0]}
    figures = {
        "trained_by": options.trained_by,
        "note": options.note,
        "torch": torch.__version__,
        "last": lines[-1],
        "curves": curves,
    }
    write_result(RESULTS / options.json.name, figures, model=options.run / "weights.safetensors")
    if options.plot:
        draw(curves, options.plot)


def draw(curves: dict[str, list[float]], path: Path) -> None:
    """NME over epochs, and the terms of the loss, each over its first value."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    for name in (name for name in curves if name.endswith("_nme")):
        left.plot(curves["epoch"], curves[name], "o-", label=name)
    left.set(xlabel="epoch", ylabel="NME, %", ylim=(0, None))
    left.legend()
    for name in (name for name in curves if name.startswith("train/") and name != "train/gradient_norm"):
        right.plot(curves["epoch"], [value / curves[name][0] for value in curves[name]], label=name[6:])
    right.set(xlabel="epoch", ylabel="loss over that of the first entry", ylim=(0, None))
    right.legend(ncols=2, fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
