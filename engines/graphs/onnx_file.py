"""An ONNX graph → our model file: specification inside, kernels stored as half, no trace of the exporting machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.base import SPEC_KEY, AnySpec
from startrack.engines.sidecar import Sidecar, sidecar_path, write_sidecar
from startrack.stopping import unbroken
from startrack.whole_file import whole_file


def write_model(model: onnx.ModelProto, spec: AnySpec, path: Path, *, half_weights: bool = True) -> Sidecar:
    """Put the specification into an exported graph and write the file and its sidecar, each at once.

    A signal waits for both. A process that is killed between them leaves a whole model without a sidecar, never with
    that of another file.
    """
    if half_weights:
        _store_kernels_as_half(model)
    _strip_traces(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec.to_json()
    onnx.checker.check_model(model)
    with unbroken():
        with whole_file(path) as partial:
            partial.write_bytes(model.SerializeToString())
            sidecar_path(path).unlink(missing_ok=True)
        return write_sidecar(path, spec)


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
