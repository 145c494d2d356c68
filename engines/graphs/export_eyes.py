"""nn.Module + EyeSpec → one self-contained ONNX file: uint8 crops of eyes in; lids, iris, gaze and openness out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import torch
from torch import nn

from startrack.engines.base import EyeSpec
from startrack.engines.eyes import EyeBatch
from startrack.engines.graphs.export import BATCH, traced
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar

OUTPUT_NAMES = tuple(field.name for field in fields(EyeBatch))


def export_eyes(module: nn.Module, spec: EyeSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, H, W, 3) uint8 → the fields of engines.eyes.EyeBatch. The batch size stays free. half_weights as in
    engines.graphs.export.
    """
    crops = torch.zeros(2, spec.input_height, spec.input_width, 3, dtype=torch.uint8)
    model = traced(module, {"crops": crops}, OUTPUT_NAMES, {0: BATCH})
    return write_model(model, spec, path, half_weights=half_weights)
