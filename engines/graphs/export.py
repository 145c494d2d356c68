"""nn.Module + ModelSpec → one self-contained ONNX file: uint8 crops in, landmarks with covariance and score out."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from startrack.engines.base import ModelSpec
from startrack.engines.graphs.fold import cast_pixels_first
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar

OPSET = 20
BATCH = torch.export.Dim("batch", min=1, max=1024)
OUTPUT_NAMES = ("points", "covariance", "score", "presence", "heatmaps")


def export_onnx(module: nn.Module, spec: ModelSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, S, S, 3) uint8 crops → points (B, K, 2), covariance (B, K, 2, 2), score (B, K), presence (B,),
    heatmaps (B, K, h, w). The batch size stays free. half_weights stores kernels as float16, which halves the file;
    they are widened once when the file is loaded, and all arithmetic stays float32. The crops are cast to float32
    before anything else, so that TensorRT's parser takes the file as it is.
    """
    crops = torch.zeros(2, spec.input_size, spec.input_size, 3, dtype=torch.uint8)
    model = traced(module, {"crops": crops}, OUTPUT_NAMES, {0: BATCH})
    return write_model(model, spec, path, half_weights=half_weights)


def traced(
    module: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str], free: Mapping[int, torch.export.Dim]
) -> onnx.ModelProto:
    """The graph of a module with its batch norms folded, pixels cast first.

    example: name and value of its one input, uint8. free: axes of the input whose size the graph leaves open.
    """
    ((name, value),) = example.items()
    fused = fold_batch_norms(copy.deepcopy(module).cpu().eval())
    # the exporter warns of its own internals, and that torchvision, which nothing here uses, is missing
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            fused,
            (value,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes=(dict(free),),
        )
    assert program is not None
    model = program.model_proto  # every reading makes a new one
    cast_pixels_first(model.graph)
    return model


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm that directly follows a convolution in an nn.Sequential into it; changes the module."""
    for child in module.modules():
        if isinstance(child, nn.Sequential):
            for index in range(len(child) - 1):
                conv, norm = child[index], child[index + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    child[index], child[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return module
