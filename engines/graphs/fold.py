"""An ONNX file as the plain float32 graph behind it: stored kernels widened, batch norms gone, pixels cast first.

Converters to another precision and builders for a GPU start from it; the figures hardly change (1e-5 px).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.base import EngineError
from startrack.engines.onnx_nodes import graph_problem
from startrack.engines.sidecar import check_sidecar
from startrack.outside import LARGEST_MODEL, reason

PIXEL_MOVES = ("Slice", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Gather", "Identity")
"""What only moves pixels."""


def read_graph(path: Path) -> onnx.ModelProto:
    """The folded graph of a model file. Raises EngineError if it is missing, damaged or keeps weights elsewhere."""
    if not path.is_file():
        raise EngineError(f"{path}: no such model file; expected a .onnx model")
    if path.stat().st_size > LARGEST_MODEL:
        raise EngineError(f"{path}: {path.stat().st_size} bytes; expected a model of less than {LARGEST_MODEL}")
    check_sidecar(path)
    content = path.read_bytes()
    if (problem := graph_problem(content)) is not None:
        raise EngineError(f"{path}: {problem}")
    try:
        model = onnx.load_model_from_string(content)
        # with shapes: a file that declares more than it holds is found here, before anything is allocated
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # protobuf's errors and onnx's share no base class
        raise EngineError(f"{path}: not an ONNX model that can be read: {reason(error)}") from error
    if any(entry.data_location == TensorProto.EXTERNAL for entry in model.graph.initializer):
        raise EngineError(f"{path}: weights in other files; expected all of them in this one")
    fold(model)
    return model


def fold(model: onnx.ModelProto) -> None:
    """Change the graph in place; its inputs, outputs and results stay."""
    _lift_constants(model.graph)
    _widen_kernels(model.graph)
    _fold_norms(model.graph)
    cast_pixels_first(model.graph)
    drop_unused(model.graph)
    del model.graph.value_info[:]  # not all of it holds any more


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    replace_all(graph.initializer, [entry for entry in graph.initializer if entry.name in used])


def replace_all(field: object, values: list[object]) -> None:
    """Put other values into a repeated protobuf field."""
    del field[:]  # type: ignore[attr-defined]
    field.extend(values)  # type: ignore[attr-defined]


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Constant nodes → initializers."""
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            graph.initializer.add().CopyFrom(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
        else:
            kept.append(node)
    replace_all(graph.node, kept)


def _widen_kernels(graph: onnx.GraphProto) -> None:
    """Undo engines.graphs.export's storage as float16: its casts become float32 constants."""
    stored = {entry.name: entry for entry in graph.initializer if entry.data_type == TensorProto.FLOAT16}
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored and node.attribute[0].i == TensorProto.FLOAT:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    replace_all(graph.node, kept)


def _fold_norms(graph: onnx.GraphProto) -> None:
    """Batch norms → into the convolution before them, where nothing else reads it, or a product and a sum.

    A norm's own variance and small epsilon would not survive float16; scale and offset do.
    """
    values = {entry.name: entry for entry in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    producers = {node.output[0]: node for node in graph.node}
    kept: list[object] = []
    for number, node in enumerate(graph.node):
        if node.op_type != "BatchNormalization":
            kept.append(node)
            continue
        scale, offset = _norm_as_affine(node, values)
        before = producers.get(node.input[0])
        if before is not None and before.op_type == "Conv" and readers[node.input[0]] == 1:
            _scale_convolution(graph, before, values, scale, offset)
            before.output[0] = node.output[0]
            continue
        names = [f"norm_{number}.scale", f"norm_{number}.offset", f"norm_{number}.scaled"]
        for name, value in zip(names, (scale, offset), strict=False):
            graph.initializer.append(numpy_helper.from_array(value[:, None, None], name))
        kept.append(helper.make_node("Mul", [node.input[0], names[0]], [names[2]], name=names[2]))
        kept.append(helper.make_node("Add", [names[2], names[1]], [node.output[0]], name=f"norm_{number}"))
    replace_all(graph.node, kept)


def _norm_as_affine(
    node: onnx.NodeProto, values: dict[str, TensorProto]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(C,) scale and (C,) offset, computed in float64."""
    weight, bias, mean, variance = (numpy_helper.to_array(values[name]).astype(np.float64) for name in node.input[1:5])
    epsilon = next((entry.f for entry in node.attribute if entry.name == "epsilon"), 1e-5)
    scale = weight / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (bias - mean * scale).astype(np.float32)


def _scale_convolution(
    graph: onnx.GraphProto,
    conv: onnx.NodeProto,
    values: dict[str, TensorProto],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
) -> None:
    """Give a convolution kernels and offsets of its own, with those of the norm in them."""
    kernel = numpy_helper.to_array(values[conv.input[1]])
    bias = numpy_helper.to_array(values[conv.input[2]]) if len(conv.input) > 2 else np.float32(0)
    own = [f"{conv.output[0]}.kernel", f"{conv.output[0]}.offset"]
    graph.initializer.append(numpy_helper.from_array(kernel * scale[:, None, None, None], own[0]))
    graph.initializer.append(numpy_helper.from_array((bias * scale + offset).astype(np.float32), own[1]))
    replace_all(conv.input, [conv.input[0], *own])


def cast_pixels_first(graph: onnx.GraphProto) -> None:
    """Cast uint8 inputs to float32 before they are cut or turned, in place; results stay the same to the bit.

    TensorRT does nothing to uint8 but cast it, and ONNX Runtime's TensorRT provider then gets no node at all. A graph
    that computes with uint8 is left as it is.
    """
    pixels = [entry.name for entry in graph.input if entry.type.tensor_type.elem_type == TensorProto.UINT8]
    moved = {name: f"{name}.pixels" for name in pixels}
    floats: dict[str, str] = {}
    kept: list[object] = [
        helper.make_node("Cast", [name], [other], name=other, to=TensorProto.FLOAT) for name, other in moved.items()
    ]
    for original in graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        replace_all(node.input, [floats.get(name, name) for name in node.input])
        given = node.input[0] if node.input else ""
        if given in moved and node.op_type in PIXEL_MOVES:
            moved[node.output[0]] = f"{node.output[0]}.pixels"
            node.input[0], node.output[0] = moved[given], moved[node.output[0]]
        elif given in moved and node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT:
            floats[node.output[0]] = moved[given]
            continue
        elif node.op_type != "Shape" and not moved.keys().isdisjoint(node.input):
            return  # computes with uint8: left as it is, for engines.graphs.types to name
        elif given in moved:
            node.input[0] = moved[given]
        kept.append(node)
    if {*moved, *floats}.isdisjoint(output.name for output in graph.output):
        replace_all(graph.node, kept)
        made = {name for node in graph.node for name in node.output}
        replace_all(graph.value_info, [value for value in graph.value_info if value.name in made])
