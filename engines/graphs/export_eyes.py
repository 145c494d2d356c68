"""nn.Module + EyeSpec → one self-contained ONNX file: uint8 crops of eyes in; lids, iris, gaze and openness out."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from dataclasses import fields
from pathlib import Path

import torch
from torch import nn

from startrack.engines.base import EyeSpec
from startrack.engines.eyes import EyeBatch
from startrack.engines.graphs.export import OPSET, fold_batch_norms
from startrack.engines.graphs.fold import cast_pixels_first
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar

OUTPUT_NAMES = tuple(field.name for field in fields(EyeBatch))


def export_eyes(module: nn.Module, spec: EyeSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, H, W, 3) uint8 → the fields of engines.eyes.EyeBatch. The batch size stays free. half_weights as in
    engines.graphs.export.
    """
    fused = fold_batch_norms(copy.deepcopy(module).cpu().eval())
    crops = torch.zeros(2, spec.input_height, spec.input_width, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            fused,
            (crops,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["crops"],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        )
    assert program is not None
    model = program.model_proto  # every reading makes a new one
    cast_pixels_first(model.graph)
    return write_model(model, spec, path, half_weights=half_weights)
