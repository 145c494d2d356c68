"""nn.Module + DetectorSpec → one self-contained ONNX file: uint8 pictures in; scores, squares and eyes out."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from pathlib import Path

import torch
from torch import nn

from startrack.engines.base import DetectorSpec
from startrack.engines.graphs.export import OPSET, fold_batch_norms
from startrack.engines.graphs.fold import cast_pixels_first
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar

OUTPUT_NAMES = ("scores", "squares", "eyes")


def export_detector(module: nn.Module, spec: DetectorSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, H, W, 3) uint8 → the fields of engines.base.DetectionBatch. B, H and W stay free. half_weights as in
    engines.graphs.export.
    """
    fused = fold_batch_norms(copy.deepcopy(module).cpu().eval())
    step = spec.strides[-1]
    pictures = torch.zeros(2, 3 * step, 5 * step, 3, dtype=torch.uint8)
    rows, columns = (torch.export.Dim(name, min=1, max=128) for name in ("rows", "columns"))
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            fused,
            (pictures,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pictures"],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes=({0: batch, 1: step * rows, 2: step * columns},),
        )
    assert program is not None
    model = program.model_proto  # every reading makes a new one
    cast_pixels_first(model.graph)
    return write_model(model, spec, path, half_weights=half_weights)
