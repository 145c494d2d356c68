"""The decoding inside a graph as one product: every heatmap's mass, mean and spread are sums over its cells.

For 8-bit models on a CPU, where some forty small operations on a few thousand numbers take as long as a large
convolution. In float32 the difference of raw moments costs a covariance a thousandth at most; in TF32 or half
precision it would cost all of it, so graphs that may run on a GPU keep deviations from the mean
(train/models/decode.py).
"""

# B batch, K landmarks, C cells of a heatmap, row by row

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from startrack.engines.base import SCORE_RADIUS, ModelSpec
from startrack.engines.graphs.fold import drop_unused, replace_all

READ = ("points", "covariance", "score")
"""Outputs that follow from the heatmaps; the score from the presence too."""
PREFIX = "decode."


def decode_at_once(graph: onnx.GraphProto, spec: ModelSpec) -> bool:
    """Replace what leads from the heatmaps to READ, in place; whether that was done.

    It is for maps that end in a softmax over their cells and are read by soft-argmax; others stay as they are.
    """
    makers = {name: node for node in graph.node for name in node.output}
    shaped = makers.get("heatmaps")
    softmax = makers.get(shaped.input[0]) if shaped is not None and shaped.op_type == "Reshape" else None
    if spec.decoder != "soft_argmax" or softmax is None or not _is_over_cells(softmax):
        return False
    constants = {
        "moments": _moments_of_cells(spec),
        "lengths": np.array([2, 4]),
        "middle": np.array((spec.input_size - 1) / 2, np.float32),
        "square": np.array([0, 0, 2, 2]),
        "last": np.array([-1]),
        "last_but_one": np.array([-2]),
        "axes": np.array([-2, -1]),
        "eye": np.eye(2, dtype=np.float32),
        "reach": np.array(-((SCORE_RADIUS * spec.input_size) ** 2), np.float32),
        "one": np.array(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items())
    kept = [node for node in graph.node if not set(READ) & set(node.output)]
    replace_all(graph.node, [*kept, *_nodes(softmax.output[0])])
    _drop_idle(graph)
    return True


def _is_over_cells(node: onnx.NodeProto) -> bool:
    """Whether it is a softmax over the last axis, of (B, K, C)."""
    axes = [entry.i for entry in node.attribute if entry.name == "axis"]
    return bool(node.op_type == "Softmax" and axes in ([], [-1], [2]))


def _moments_of_cells(spec: ModelSpec) -> NDArray[np.float32]:
    """(C, 6) x, y, xx, xy, yx, yy of every cell, pixels of the crop from its middle, a cell's own spread included."""
    cells = spec.stride * (np.arange(spec.heatmap_size) - (spec.heatmap_size - 1) / 2)
    y, x = (axis.ravel() for axis in np.meshgrid(cells, cells, indexing="ij"))
    own = spec.stride**2 / 12
    return np.stack([x, y, x * x + own, x * y, x * y, y * y + own], -1).astype(np.float32)


def _nodes(maps: str) -> list[onnx.NodeProto]:
    """maps: (B, K, C), each of mass 1."""
    return [
        _node("MatMul", [maps, ".moments"], [".sums"]),
        _node("Split", [".sums", ".lengths"], [".mean", ".raw"], axis=-1),
        _node("Add", [".mean", ".middle"], ["points"]),
        _node("Reshape", [".raw", ".square"], [".raw_square"]),
        _node("Unsqueeze", [".mean", ".last"], [".column"]),
        _node("Unsqueeze", [".mean", ".last_but_one"], [".row"]),
        _node("Mul", [".column", ".row"], [".outer"]),
        _node("Sub", [".raw_square", ".outer"], ["covariance"]),
        _node("Mul", ["covariance", ".eye"], [".diagonal"]),
        _node("ReduceSum", [".diagonal", ".axes"], [".trace"], keepdims=0),
        _node("Div", [".reach", ".trace"], [".ratio"]),
        _node("Exp", [".ratio"], [".beyond"]),
        _node("Sub", [".one", ".beyond"], [".within"]),
        _node("Unsqueeze", ["presence", ".last"], [".face"]),
        _node("Mul", [".within", ".face"], ["score"]),
    ]


def _node(operation: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int) -> onnx.NodeProto:
    """Names that begin with a dot are the decoding's own."""
    own_in, own_out = ([PREFIX + name[1:] if name[0] == "." else name for name in names] for names in (inputs, outputs))
    node: onnx.NodeProto = helper.make_node(operation, own_in, own_out, name=own_out[0])
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return node


def _drop_idle(graph: onnx.GraphProto) -> None:
    """Remove nodes that no output needs any more, and their constants."""
    needed = {output.name for output in graph.output}
    kept: list[object] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    replace_all(graph.node, kept[::-1])
    drop_unused(graph)
