"""The first 8-bit convolution of a quantised graph, written so that it reads four pixels as one of twelve channels.

ONNX Runtime gathers a convolution's inputs pixel by pixel, which for three channels takes longer than the products.
Channels last, four neighbours in a row are one pixel of twelve channels without any copy, and two neighbours of the
result are one of twice the channels; the zeros in the wider kernel cost less than the gathering. Results are the same.
"""

# I O channels in and out, of the kernel as it was; the wide one has 4·I and 2·O

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.fold import replace_all

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Permutations to channels last and back."""
PIXELS = 4
"""That are read as one."""
EXPECTED = {"strides": [2, 2], "pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}


def read_four_pixels(graph: onnx.GraphProto) -> None:
    """Rewrite input → Transpose → DequantizeLinear → Conv → QuantizeLinear, in place, where the convolution is 3×3 with
    a stride of 2 and the input's width is a multiple of four; else there is no change."""
    pictures = graph.input[0]
    values = {entry.name: entry for entry in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    chain, name = [], pictures.name
    for expected in ("Transpose", "DequantizeLinear", "Conv", "QuantizeLinear"):
        readers = [node for node in graph.node if name in node.input and node.op_type != "Shape"]
        if len(readers) != 1 or readers[0].op_type != expected or readers[0].input[0] != name:
            return
        chain.append(readers[0])
        name = readers[0].output[0]
    turn, _, conv, rounded = chain
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in conv.attribute}
    if not _is_whole(pictures) or any(attributes.get(key) != wanted for key, wanted in EXPECTED.items()):
        return
    kernel, *biases = (makers[one] for one in conv.input[1:])
    channels = int(values[kernel.input[0]].dims[0])
    _change(values[kernel.input[0]], _widened(numpy_helper.to_array(values[kernel.input[0]])))
    for name in {*kernel.input[1:], *(one for bias in biases for one in bias.input)}:
        _change(values[name], np.tile(numpy_helper.to_array(values[name]), 2))
    replace_all(conv.attribute, [entry for entry in conv.attribute if entry.name not in ("pads", "strides")])
    for entry in conv.attribute:
        if entry.name == "kernel_shape":
            entry.CopyFrom(helper.make_attribute("kernel_shape", [3, 2]))
    # the first of four pixels reaches back to the last of those before it
    conv.attribute.extend([helper.make_attribute("pads", [1, 1, 1, 0]), helper.make_attribute("strides", [2, 1])])
    groups, grid = f"{pictures.name}.groups", f"{rounded.output[0]}.grid"
    sizes = {groups: [0, 0, -1, PIXELS * 3], grid: [0, 0, -1, channels]}
    graph.initializer.extend(numpy_helper.from_array(np.array(size), name) for name, size in sizes.items())
    joined = helper.make_node("Reshape", [pictures.name, groups], [f"{groups}.joined"], name=f"{groups}.joined")
    turn.input[0] = joined.output[0]
    result, wide = rounded.output[0], f"{rounded.output[0]}.wide"
    rounded.output[0] = wide
    parted = [
        helper.make_node("Transpose", [wide], [f"{wide}.last"], name=f"{wide}.last", perm=LAST),
        helper.make_node("Reshape", [f"{wide}.last", grid], [f"{grid}.parted"], name=f"{grid}.parted"),
        helper.make_node("Transpose", [f"{grid}.parted"], [result], name=f"{grid}.first", perm=FIRST),
    ]
    nodes = list(graph.node)
    after = nodes.index(rounded) + 1
    before = nodes.index(turn)
    replace_all(graph.node, [*nodes[:before], joined, *nodes[before:after], *parted, *nodes[after:]])
    wider = {name for node in nodes[before:after] for name in node.output}
    replace_all(graph.value_info, [value for value in graph.value_info if value.name not in wider])


def _is_whole(pictures: onnx.ValueInfoProto) -> bool:
    """Whether the width of (B, H, W, 3) is known to be a multiple of PIXELS: a number, or such as 32*columns."""
    width, channels = pictures.type.tensor_type.shape.dim[2:]
    factor = width.dim_param.partition("*")[0] if width.dim_param else str(width.dim_value)
    return channels.dim_value == 3 and factor.isdecimal() and int(factor) > 0 and int(factor) % PIXELS == 0


def _widened(kernel_OI33: NDArray[np.int8]) -> NDArray[np.int8]:
    """(O, I, 3, 3) → (2·O, 4·I, 3, 2): the left and the right of two results, from four pixels and four before."""
    outputs, inputs = kernel_OI33.shape[:2]
    wide = np.zeros((2, outputs, 3, 2 * PIXELS, inputs), kernel_OI33.dtype)
    for side in range(2):
        first = PIXELS - 1 + 2 * side
        wide[side, :, :, first : first + 3] = kernel_OI33.transpose(0, 2, 3, 1)
    # side, O, rows, place, pixel and I → side and O, pixel and I, rows, place
    grouped = wide.reshape(2 * outputs, 3, 2, PIXELS * inputs)
    return np.ascontiguousarray(grouped.transpose(0, 3, 1, 2))


def _change(entry: TensorProto, value: NDArray[np.generic]) -> None:
    entry.CopyFrom(numpy_helper.from_array(value, entry.name))
