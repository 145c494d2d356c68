"""Two 1×1 convolutions in a row → one, in a graph: as in a stacked hourglass between its stacks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.fold import drop_unused, replace_all


def merge_pointwise(graph: onnx.GraphProto) -> None:
    """Replace a 1×1 convolution and the 1×1 convolution that alone reads it by their product, in place.

    A stack's heatmaps lead to the next stack through such a pair; only the last stack's are read by anything else. The
    kernels are initializers in float32. Results change by rounding only.
    """
    values = {entry.name: entry for entry in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    makers = {node.output[0]: node for node in graph.node if _may_merge(node, values)}
    merged = set()
    for node in list(makers.values()):
        before = makers.get(node.input[0])
        if before is not None and readers[node.input[0]] == 1:
            _multiply(graph, before, node, values)
            merged.add(before.output[0])
    replace_all(graph.node, [node for node in graph.node if node.output[0] not in merged])
    drop_unused(graph)


def is_pointwise(node: onnx.NodeProto, values: dict[str, TensorProto]) -> bool:
    """Whether it is a 1×1 convolution of one group without padding, with float kernels among the values."""
    if node.op_type != "Conv" or not all(name in values for name in node.input[1:]):
        return False
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    kernel = values[node.input[1]]
    return (
        kernel.data_type == TensorProto.FLOAT
        and list(kernel.dims[2:]) == [1, 1]
        and attributes.get("group", 1) == 1
        and not any(attributes.get("pads", ()))
    )


def strides_of(node: onnx.NodeProto) -> list[int]:
    """Of a convolution, rows and columns."""
    return next((list(entry.ints) for entry in node.attribute if entry.name == "strides"), [1, 1])


def _may_merge(node: onnx.NodeProto, values: dict[str, TensorProto]) -> bool:
    return is_pointwise(node, values) and len(node.input) > 2 and strides_of(node) == [1, 1]


def _multiply(
    graph: onnx.GraphProto, first: onnx.NodeProto, second: onnx.NodeProto, values: dict[str, TensorProto]
) -> None:
    """Let `second` read what `first` reads, with both's kernels."""
    kernels = [numpy_helper.to_array(values[node.input[1]])[..., 0, 0].astype(np.float64) for node in (first, second)]
    biases = [numpy_helper.to_array(values[node.input[2]]).astype(np.float64) for node in (first, second)]
    kernel = (kernels[1] @ kernels[0]).astype(np.float32)[..., None, None]
    bias = (kernels[1] @ biases[0] + biases[1]).astype(np.float32)
    names = [f"{second.output[0]}.merged_kernel", f"{second.output[0]}.merged_bias"]
    for name, value in zip(names, (kernel, bias), strict=True):
        values[name] = numpy_helper.from_array(value, name)
        graph.initializer.append(values[name])
    replace_all(second.input, [first.input[0], *names])
