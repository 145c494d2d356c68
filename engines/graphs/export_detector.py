"""nn.Module + DetectorSpec → one self-contained ONNX file: uint8 pictures in; scores, squares and eyes out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from startrack.engines.base import DetectorSpec
from startrack.engines.graphs.export import BATCH, traced
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar

OUTPUT_NAMES = ("scores", "squares", "eyes")


def export_detector(module: nn.Module, spec: DetectorSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, H, W, 3) uint8 → the fields of engines.base.DetectionBatch. B, H and W stay free. half_weights as in
    engines.graphs.export.
    """
    step = spec.strides[-1]
    pictures = torch.zeros(2, 3 * step, 5 * step, 3, dtype=torch.uint8)
    rows, columns = (torch.export.Dim(name, min=1, max=128) for name in ("rows", "columns"))
    free = {0: BATCH, 1: step * rows, 2: step * columns}
    model = traced(module, {"pictures": pictures}, OUTPUT_NAMES, free)
    return write_model(model, spec, path, half_weights=half_weights)
