"""A half graph as a GPU computes it: every stored half value rounded, sums in float32.

ONNX Runtime has no half convolutions on most CPUs: it computes in float32 and drops the casts between two half nodes,
and with them most of the rounding. Here the rounding is written into the graph, so that nothing can drop it.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.types import element_types

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


def rounding_graph(half: onnx.ModelProto) -> onnx.ModelProto:
    """The float32 graph that rounds whatever the half graph stores."""
    types = element_types(half)
    model = onnx.ModelProto()
    model.CopyFrom(half)
    for constant in model.graph.initializer:
        if constant.data_type == HALF:
            values = numpy_helper.to_array(constant).astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "Cast":
            _set_float(node)
        nodes.append(node)
        for position, name in enumerate(node.output):
            if types[name] == HALF:
                node.output[position] = f"{name}.wide"
                nodes.append(helper.make_node("Cast", [f"{name}.wide"], [f"{name}.stored"], to=HALF))
                nodes.append(helper.make_node("Cast", [f"{name}.stored"], [name], to=FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    return model


def _set_float(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name == "to" and attribute.i == HALF:
            attribute.i = FLOAT
