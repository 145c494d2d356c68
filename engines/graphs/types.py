"""Whether an ONNX graph's types are those that a strongly typed parser takes.

TensorRT 11, and 10 when asked to be strongly typed, runs every node in the type that is written, casts nothing by
itself and takes neither a mixture of float types nor arithmetic on uint8. The list is of the rules that its documents
state, as far as our graphs meet them; TensorRT for RTX takes and builds what passes here (tests/engines/tensorrt/).
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
KNOWN = {*FLOATS, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.UINT8}
"""Types that a graph of ours may hold; no double, which GPUs do slowly and TensorRT not at all."""
TAKES_ANY = {"Cast", "Shape", "QuantizeLinear", "DequantizeLinear"}
"""Operations whose inputs and outputs may differ in float type."""
PIXEL_READERS = {"Cast", "Shape"}
"""What may read uint8: it is a type of inputs only."""


def own_type_inputs(node: onnx.NodeProto) -> list[int]:
    """Positions of the inputs that share the node's float type: not the scales of a Resize, which stay float32."""
    if node.op_type in TAKES_ANY:
        return []
    positions = [position for position, name in enumerate(node.input) if name]
    return [position for position in positions if not (node.op_type == "Resize" and position in (1, 2))]


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Tensor → TensorProto type, of everything that shape inference reaches. Raises onnx's InferenceError."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    graph = inferred.graph
    types = {entry.name: int(entry.data_type) for entry in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        types[value.name] = int(value.type.tensor_type.elem_type)
    return types


def type_problems(model: onnx.ModelProto) -> list[str]:
    """Faults that a strongly typed parser would refuse, one line each; empty if there are none."""
    try:
        onnx.checker.check_model(model, full_check=True)
        types = element_types(model)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return [str(error).strip().splitlines()[0]]
    problems = []
    for node in model.graph.node:
        problem = _node_problem(node, types)
        if problem:
            problems.append(f"{node.op_type} {node.name or node.output[0]}: {problem}")
    return problems


def _node_problem(node: onnx.NodeProto, types: dict[str, int]) -> str:
    names = [name for name in (*node.input, *node.output) if name]
    if node.domain not in ("", "ai.onnx"):
        return f"of domain {node.domain}; expected ONNX's own operations"
    if any(attribute.HasField("g") for attribute in node.attribute):
        return "holds a graph; expected none"
    unknown = [name for name in names if types.get(name) not in KNOWN]
    if unknown:
        return f"{unknown[0]} is {type_name(types.get(unknown[0], 0))}; expected float, half, int or bool"
    if node.op_type not in PIXEL_READERS and any(types[name] == TensorProto.UINT8 for name in names):
        return "reads or writes uint8; expected a Cast of it"
    if node.op_type == "Resize":
        kept = [name for name in node.input[1:3] if name and types[name] != TensorProto.FLOAT]
        if kept:
            return f"{kept[0]} is {type_name(types[kept[0]])}; expected float32 scales"
    if node.op_type in TAKES_ANY:
        return ""
    own = [node.input[position] for position in own_type_inputs(node)]
    floats = {types[name] for name in (*own, *node.output) if name and types[name] in FLOATS}
    return "mixes float32 and float16; expected one of them" if len(floats) > 1 else ""


def quantisation_problems(graph: onnx.GraphProto) -> list[str]:
    """What TensorRT does not build of a graph with Q/DQ nodes, one line each.

    It knows int8 and fp8 with a zero point of 0, and turns no pixels before they are cast. ONNX Runtime's quantiser
    writes uint8 maps with other zero points, and offsets of convolutions as int32.
    """
    constants = {entry.name: entry for entry in graph.initializer}
    pixels = {entry.name for entry in graph.input if entry.type.tensor_type.elem_type == TensorProto.UINT8}
    problems = []
    for node in graph.node:
        problem = _quantisation_problem(node, constants, pixels)
        if problem:
            problems.append(f"{node.op_type} {node.name or node.output[0]}: {problem}")
    return problems


def _quantisation_problem(node: onnx.NodeProto, constants: dict[str, TensorProto], pixels: set[str]) -> str:
    if node.op_type not in PIXEL_READERS and pixels.intersection(node.input):
        return "reads uint8 pixels; expected a Cast of them"
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return ""
    quantised = constants.get(node.input[0])
    if quantised is not None and quantised.data_type == TensorProto.INT32:
        return "an offset stored as INT32; expected float offsets"
    zero = constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if len(node.input) > 2 and node.input[2] and zero is None:
        return "a zero point that is computed; expected a constant"
    if zero is None:
        return "" if quantised is None else _type_problem(int(quantised.data_type))
    if (problem := _type_problem(int(zero.data_type))) or not numpy_helper.to_array(zero).astype(float).any():
        return problem
    return f"zero point {numpy_helper.to_array(zero).ravel()[0]}; expected 0"


def _type_problem(kind: int) -> str:
    known = (TensorProto.INT8, TensorProto.FLOAT8E4M3FN)
    return "" if kind in known else f"8-bit values of type {type_name(kind)}; expected INT8"


def type_name(element_type: int) -> str:
    """ "FLOAT16"."""
    return str(TensorProto.DataType.Name(element_type))
