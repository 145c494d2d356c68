"""The float32 part of a quantised graph, written so that ONNX Runtime keeps every map channels last.

Its 8-bit convolutions run channels last, its float ones in blocks of channels: between them it turns each map there and
back. A 1×1 convolution is a product of all pixels with its kernel, and a map of half the size is added to a larger one
by broadcasting, without a copy of it at that size; the Transposes around them are cancelled when the file is loaded.
Results change by nothing.
"""

# B batch, C channels, h w rows and columns, of the smaller map where there are two, I O channels in and out

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.fold import drop_unused, replace_all
from startrack.engines.graphs.merge import is_pointwise, strides_of

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Permutations to channels last and back."""
REPEATING = {(b"asymmetric", b"floor"), (b"half_pixel", b"round_prefer_floor")}
"""coordinate_transformation_mode and nearest_mode with which a Resize by 2 repeats every pixel; the second is ONNX's
default."""


def to_channels_last(model: onnx.ModelProto) -> None:
    """Rewrite 1×1 convolutions, and sums with tensors that were doubled in size, in place."""
    _broadcast_doubled(model)
    graph, shapes = model.graph, _shapes(model)
    values = {entry.name: entry for entry in graph.initializer}
    nodes: list[object] = []
    for node in graph.node:
        shape = shapes.get(node.output[0], [])
        if is_pointwise(node, values) and len(shape) == 4 and all(shape[1:]):
            nodes += _as_product(graph, node, values, shape)
        else:
            nodes.append(node)
    replace_all(graph.node, nodes)
    drop_unused(graph)


def _as_product(
    graph: onnx.GraphProto, node: onnx.NodeProto, values: dict[str, TensorProto], shape: Sequence[int]
) -> list[onnx.NodeProto]:
    """The same as a product of the pixels, every second one where it strides, with the kernel. shape: (B, O, h, w)."""
    result = node.output[0]
    kernel_OI = numpy_helper.to_array(values[node.input[1]])[..., 0, 0]
    _, channels, h, w = shape
    strides = strides_of(node)
    nodes = [_transpose(node.input[0], f"{result}.last", LAST)]
    if strides != [1, 1]:
        ranges = {"starts": [0, 0], "ends": [1 << 30, 1 << 30], "axes": [1, 2], "steps": strides}
        names = [_constant(graph, f"{result}.{name}", np.array(each)) for name, each in ranges.items()]
        nodes.append(_node("Slice", [f"{result}.last", *names], f"{result}.strided"))
    rows = _constant(graph, f"{result}.rows", np.array([-1, kernel_OI.shape[1]]))
    grid = _constant(graph, f"{result}.grid", np.array([-1, h, w, channels]))
    kernel = _constant(graph, f"{result}.kernel", np.ascontiguousarray(kernel_OI.T))
    return [
        *nodes,
        _node("Reshape", [nodes[-1].output[0], rows], f"{result}.pixels"),
        _node("Gemm", [f"{result}.pixels", kernel, *node.input[2:]], f"{result}.product"),
        _node("Reshape", [f"{result}.product", grid], f"{result}.map"),
        _transpose(f"{result}.map", result, FIRST),
    ]


def _broadcast_doubled(model: onnx.ModelProto) -> None:
    """a + nearest neighbours of b at twice the size, where nothing else reads the latter → a broadcast sum."""
    graph = model.graph
    shapes = _shapes(model)
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    doubled = {node.output[0]: node for node in graph.node if _doubles(node, shapes) and readers[node.output[0]] == 1}
    nodes: list[onnx.NodeProto] = []
    replaced: set[str] = set()
    for node in graph.node:
        small = next((name for name in node.input if name in doubled), "")
        large = next((name for name in node.input if name not in doubled), "")
        same_shape = small in shapes and large in shapes and shapes[small][1:] == shapes[large][1:]
        if node.op_type == "Add" and same_shape:
            nodes += _broadcast_sum(graph, doubled[small].input[0], large, node.output[0], shapes[small])
            replaced.add(small)
        else:
            nodes.append(node)
    replace_all(graph.node, [node for node in nodes if not replaced.intersection(node.output)])
    drop_unused(graph)


def _broadcast_sum(
    graph: onnx.GraphProto, small: str, large: str, result: str, shape: Sequence[int]
) -> list[onnx.NodeProto]:
    """small (B, C, h, w) and large (B, C, 2h, 2w) → their sum, of that shape."""
    _, channels, rows, columns = shape
    h, w = rows // 2, columns // 2
    grids = {
        "small": [-1, h, 1, w, 1, channels],
        "large": [-1, h, 2, w, 2, channels],
        "sum": [-1, rows, columns, channels],
    }
    sizes = {name: _constant(graph, f"{result}.{name}_shape", np.array(grid)) for name, grid in grids.items()}
    nodes = []
    for name, source in (("small", small), ("large", large)):
        nodes.append(_transpose(source, f"{result}.{name}_last", LAST))
        nodes.append(_node("Reshape", [f"{result}.{name}_last", sizes[name]], f"{result}.{name}"))
    nodes.append(_node("Add", [f"{result}.small", f"{result}.large"], f"{result}.broadcast"))
    nodes.append(_node("Reshape", [f"{result}.broadcast", sizes["sum"]], f"{result}.sum"))
    return [*nodes, _transpose(f"{result}.sum", result, FIRST)]


def _doubles(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> bool:
    """Whether it repeats every pixel of a map of known size twice along both axes."""
    if node.op_type != "Resize" or node.input[0] not in shapes or node.output[0] not in shapes:
        return False
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    before, after = shapes[node.input[0]], shapes[node.output[0]]
    whole = len(before) == 4 and 0 not in before[1:] and after[1:] == [before[1], 2 * before[2], 2 * before[3]]
    mode = attributes.get("coordinate_transformation_mode", b"half_pixel")
    repeats = (mode, attributes.get("nearest_mode", b"round_prefer_floor")) in REPEATING
    return whole and repeats and attributes.get("mode") == b"nearest"


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Of every map; 0 where a length is not fixed."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[np.generic]) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _transpose(source: str, result: str, axes: Sequence[int]) -> onnx.NodeProto:
    node = _node("Transpose", [source], result)
    node.attribute.append(helper.make_attribute("perm", axes))
    return node


def _node(operation: str, inputs: Sequence[str], output: str) -> onnx.NodeProto:
    node: onnx.NodeProto = helper.make_node(operation, list(inputs), [output], name=output)
    return node
