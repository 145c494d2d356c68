"""nn.Module + ModelSpec → one self-contained ONNX file: uint8 crops in, landmarks with covariance and score out."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engines.base import SPEC_KEY, DetectorSpec, ModelSpec
from engines.sidecar import Sidecar, write_sidecar

OPSET = 20
OUTPUT_NAMES = ("points", "covariance", "score", "presence", "heatmaps")


def export_onnx(module: nn.Module, spec: ModelSpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Write `path` and its JSON sidecar; returns the sidecar.

    module: (B, S, S, 3) uint8 crops → points (B, K, 2), covariance (B, K, 2, 2), score (B, K), presence (B,),
    heatmaps (B, K, h, w). The batch size stays free. half_weights stores kernels as float16, which halves the file;
    they are widened once when the file is loaded, and all arithmetic stays float32.
    """
    fused = fold_batch_norms(copy.deepcopy(module).cpu().eval())
    crops = torch.zeros(2, spec.input_size, spec.input_size, 3, dtype=torch.uint8)
    # the exporter warns of its own internals, and that torchvision, which nothing here uses, is missing
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
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
    return write_model(program.model_proto, spec, path, half_weights=half_weights)


def write_model(
    model: onnx.ModelProto, spec: ModelSpec | DetectorSpec, path: Path, *, half_weights: bool = True
) -> Sidecar:
    """Put the specification into an exported graph and write the file and its sidecar, each at once."""
    if half_weights:
        _store_kernels_as_half(model)
    _strip_traces(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec.to_json()
    onnx.checker.check_model(model)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(model.SerializeToString())
    os.replace(partial, path)
    return write_sidecar(path, spec)


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm that directly follows a convolution in an nn.Sequential into it; changes the module."""
    for child in module.modules():
        if isinstance(child, nn.Sequential):
            for index in range(len(child) - 1):
                conv, norm = child[index], child[index + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    child[index], child[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return module


def _store_kernels_as_half(model: onnx.ModelProto) -> None:
    """Replace each float32 initializer of more than 1024 values by a float16 one and a Cast."""
    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or values.size <= 1024:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _strip_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: they hold source lines and paths of the exporting machine."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
        value.doc_string = ""
