"""A float32 ONNX graph → the same with half convolutions, and float32 islands where half would cost landmarks.

TensorRT 11 has no precision flags any more, and 10 deprecates them: the types in the graph are those that run. So the
precision is written here, once, for every engine. Convolutions and what lies between them are half. Float32 stay: the
pixels' normalisation, instance norm (its sums of 4096 squares overflow in half), every reduction, and the decode,
which follows them (the mean of 4096 cells in half is off by pixels).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.graphs.fold import drop_unused, read_graph, replace_all
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.graphs.types import element_types, own_type_inputs, type_problems

CONVOLUTIONS = {"Conv", "ConvTranspose"}
FOLLOWERS = {
    *("Relu", "LeakyRelu", "PRelu", "HardSwish", "Sigmoid", "Tanh", "Clip", "Neg", "Abs"),
    *("Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("MaxPool", "AveragePool", "Resize", "Pad", "DepthToSpace", "SpaceToDepth"),
    *("Concat", "Split", "Slice", "Gather", "Expand", "Tile"),
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"),
}
"""Half among half tensors, float32 next to a float32 one; everything that is not named here stays float32."""
HALF, FLOAT, FREE = TensorProto.FLOAT16, TensorProto.FLOAT, 0
"""Types of nodes; nodes of constants alone are free, and takes the type of its readers."""
LARGEST = 65504.0
"""Of float16."""


@dataclass(frozen=True, slots=True)
class HalfReport:
    """Counts of the conversion."""

    half_convolutions: int
    """All of the graph's convolutions."""
    islands: dict[str, int]
    """Operation → nodes that stay float32."""
    casts: int
    """Between the two, outputs included."""
    weights: int
    """Constants stored as half."""
    vanished: int
    """Of them not 0 before, but 0 in half."""
    clamped: int
    """Of them beyond half's range, now its largest value."""

    def to_text(self) -> str:
        """One line for a person."""
        islands = ", ".join(f"{count} {name}" for name, count in sorted(self.islands.items()))
        return (
            f"{self.half_convolutions} half convolutions, {self.weights} half weights ({self.vanished} too small, "
            f"{self.clamped} too large), {self.casts} casts; float32: {islands}"
        )


def export_half(source: Path, out: Path) -> HalfReport:
    """Write the half form of a landmark model file (.onnx of export_onnx), with its sidecar.

    Raises EngineError if the file is damaged, has no specification, or cannot be typed (half_graph).
    """
    model = read_graph(source)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in entries:
        raise EngineError(f"{source}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    spec = ModelSpec.from_json(entries[SPEC_KEY], str(source))
    report = half_graph(model)
    write_model(model, spec, out, half_weights=False)
    return report


def half_graph(model: onnx.ModelProto) -> HalfReport:
    """Change a folded graph (engines.graphs.fold) in place; inputs and outputs keep their names and types.

    Raises EngineError if the result is not accepted by a strongly typed parser; then the graph is of no more use.
    """
    types = element_types(model)
    chosen = _choose_types(model.graph, types)
    writer = _Writer(model.graph, types)
    for node, precision in zip(model.graph.node, chosen, strict=True):
        writer.add(node, precision)
    report = writer.finish()
    problems = type_problems(model)
    if problems:
        raise EngineError(f"{model.graph.name}: not strongly typed after the conversion: {problems[0]}")
    return report


def _choose_types(graph: onnx.GraphProto, types: dict[str, int]) -> list[int]:
    """HALF or FLOAT of each node; FREE for nodes without a float tensor."""
    made: dict[str, int] = {entry.name: FREE for entry in graph.initializer}
    made |= {entry.name: types[entry.name] for entry in graph.input}
    chosen: list[int] = []
    for node in graph.node:
        precision = _forward_type(node, types, made)
        chosen.append(precision)
        made |= dict.fromkeys(node.output, precision)
    precision_of: dict[str, int] = {}
    for number in reversed(range(len(chosen))):
        node = graph.node[number]
        if chosen[number] == FREE and any(types[name] in (FLOAT, HALF) for name in node.output if name):
            chosen[number] = HALF if any(precision_of.get(name) == HALF for name in node.output) else FLOAT
        for position in own_type_inputs(node):
            # half only if all readers are: the decode's coordinates keep their digits
            name = node.input[position]
            precision_of[name] = FLOAT if FLOAT in (precision_of.get(name), chosen[number]) else chosen[number]
    return chosen


def _forward_type(node: onnx.NodeProto, types: dict[str, int], made: dict[str, int]) -> int:
    """The type that a node's inputs ask for; FREE if they are constants, or no floats."""
    if node.op_type in CONVOLUTIONS:
        return HALF
    if node.op_type == "Cast":
        # of a mask: whatever its readers are; of pixels: float32
        return FLOAT if types[node.input[0]] not in (TensorProto.BOOL, TensorProto.INT64) else FREE
    inputs = [node.input[position] for position in own_type_inputs(node)]
    floats = [made[name] for name in inputs if types[name] in (FLOAT, HALF)]
    if not floats:
        return FREE
    if node.op_type not in FOLLOWERS:
        return FLOAT
    # features next to a float32 mask or coordinates: joined, not computed with
    if HALF in floats and (node.op_type == "Concat" or FLOAT not in floats):
        return HALF
    return FLOAT if FLOAT in floats else FREE


class _Writer:
    """Nodes in their types, with the casts between them."""

    def __init__(self, graph: onnx.GraphProto, types: dict[str, int]) -> None:
        self._graph = graph
        self._types = types
        self._constants = {entry.name: entry for entry in graph.initializer}
        self._outputs = {output.name for output in graph.output}
        self._made = {entry.name: types[entry.name] for entry in (*graph.input, *graph.initializer)}
        self._nodes: list[object] = []
        self._islands: Counter[str] = Counter()
        self._convolutions = self._casts = self._weights = self._vanished = self._clamped = 0

    def add(self, node: onnx.NodeProto, precision: int) -> None:
        """Write one node, its inputs and outputs in its own precision."""
        if precision == FREE:
            self._made |= {name: self._types[name] for name in node.output if name}
            self._nodes.append(node)
            return
        for position in own_type_inputs(node):
            node.input[position] = self._as(node.input[position], precision)
        self._nodes.append(node)
        if node.op_type == "Cast" and self._types[node.output[0]] == FLOAT:
            self._set_cast(node, precision)
        self._count(node, precision)
        for position, name in enumerate(node.output):
            self._made[name] = precision if self._types.get(name) in (FLOAT, HALF) else self._types.get(name, 0)
            if name in self._outputs and self._made[name] == HALF:
                node.output[position] = f"{name}.half"
                self._cast(node.output[position], name, FLOAT)
                self._made[node.output[position]] = HALF
                self._made[name] = FLOAT

    def finish(self) -> HalfReport:
        """Put all of it into the graph."""
        replace_all(self._graph.node, self._nodes)
        del self._graph.value_info[:]
        drop_unused(self._graph)
        return HalfReport(
            self._convolutions, dict(self._islands), self._casts, self._weights, self._vanished, self._clamped
        )

    def _as(self, name: str, precision: int) -> str:
        """The name under which a float tensor has that precision; others as they are."""
        if self._made.get(name) not in (FLOAT, HALF) or self._made[name] == precision:
            return name
        other = f"{name}.{'half' if precision == HALF else 'float'}"
        if other not in self._made:
            if name in self._constants:
                self._store_half(self._constants[name], other)
            else:
                self._cast(name, other, precision)
            self._made[other] = precision
        return other

    def _cast(self, name: str, other: str, precision: int) -> None:
        self._nodes.append(helper.make_node("Cast", [name], [other], name=f"{other}.cast", to=precision))
        self._casts += 1

    def _store_half(self, constant: TensorProto, other: str) -> None:
        values = numpy_helper.to_array(constant)
        half = to_half(values)
        self._weights += values.size
        self._vanished += int(((half == 0) & (values != 0)).sum())
        self._clamped += int((np.abs(values) > LARGEST).sum())
        self._graph.initializer.append(numpy_helper.from_array(half, other))

    def _set_cast(self, node: onnx.NodeProto, precision: int) -> None:
        for attribute in node.attribute:
            if attribute.name == "to":
                attribute.i = precision

    def _count(self, node: onnx.NodeProto, precision: int) -> None:
        if precision == FLOAT:
            self._islands[node.op_type] += 1
        elif node.op_type in CONVOLUTIONS:
            self._convolutions += 1


def to_half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Rounded to float16, clamped to its range."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16)
