"""What half precision costs a landmark model: distance of its landmarks from float32 on 100 real faces.

The half graph is run twice on the CPU: as ONNX Runtime does, which computes in float32 and drops most of the rounding,
and with the rounding of every stored half value written into the graph, which is the stricter and nearer to a GPU.

    python -m benchmarks.accuracy.half_accuracy data/300w
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_engine
from startrack.engines.base import CropArray, FloatArray
from startrack.engines.engine_latency import read_points
from startrack.engines.graphs.export_half import export_half
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
from startrack.train.evaluation.face_patches import crops_of, difference_px, patches_of_samples
from startrack.train.sets import DATASETS
from tests.engines.half_rounding import rounding_graph

FACES = 100


def points_of(model: Path, crops: CropArray) -> FloatArray:
    with load_engine(model, "cpu") as engine:
        return read_points(engine, crops)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="300W as published; its training faces are used")
    parser.add_argument("--weights", type=Path, default=zoo_path(FLOAT_LANDMARKS), help="float32 model file")
    parser.add_argument("--out", type=Path, default=RESULTS / "half_accuracy.json")
    args = parser.parse_args()
    with load_engine(args.weights, "cpu") as engine:
        spec = engine.spec
    crops = crops_of(patches_of_samples(DATASETS["300w"](args.data, "trainval"), FACES), spec)
    reference = points_of(args.weights, crops)
    figures = {}
    with tempfile.TemporaryDirectory(prefix="startrack-half-") as folder:
        half, rounded = Path(folder) / "half.onnx", Path(folder) / "rounded.onnx"
        report = export_half(args.weights, half)
        write_model(rounding_graph(onnx.load(half)), spec, rounded, half_weights=False)
        for name, path in {"as ONNX Runtime rounds": half, "every stored value rounded": rounded}.items():
            distance = difference_px((spec, points_of(path, crops)), (spec, reference))
            figures[name] = {
                "mean": float(distance.mean()),
                "p99": float(np.percentile(distance, 99)),
                "max": float(distance.max()),
            }
            print(f"{name}: " + "  ".join(f"{key} {value:.4f}" for key, value in figures[name].items()))
    record = {"faces": len(crops), "graph": report.to_text(), "px_of_a_256_crop": figures}
    write_result(args.out, record, model=args.weights)


if __name__ == "__main__":
    main()
