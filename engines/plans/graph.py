"""A landmark model's ONNX file as TensorRT is to parse it: folded, strongly typed, in the precision asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.graphs.export_half import CONVOLUTIONS, half_graph
from startrack.engines.graphs.fold import read_graph
from startrack.engines.graphs.types import type_problems
from startrack.engines.plans.facts import INPUT, Precision
from startrack.engines.sidecar import file_sha256

LEFT_OUT = ("heatmaps",)
"""Outputs that a plan does without: 1.6 MB a face that nothing reads while tracking."""


@dataclass(frozen=True, slots=True)
class PlanGraph:
    """What a plan is built of."""

    model: bytes
    """ONNX, ready to be parsed."""
    spec: ModelSpec
    precision: Precision
    source_precision: Precision
    """Before it was made half here."""
    source: str
    """Name of the file."""
    source_sha256: str
    convolutions: tuple[str, ...]
    """Names of the nodes."""
    nodes: int
    parameters: int
    opset: int
    islands: dict[str, int]
    """Operation → nodes that were left in float32; empty unless the graph was made half here."""


def plan_graph(source: Path, *, half: bool) -> PlanGraph:
    """Read a model of startrack export.

    half: convolutions in float16, unless the file is quantised (Q/DQ nodes) or half already; otherwise all stays
    float32. Raises EngineError if the file is damaged, is no landmark model, or cannot be typed that way.
    """
    model = read_graph(source)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in entries:
        raise EngineError(f"{source}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    spec = ModelSpec.from_json(entries[SPEC_KEY], str(source))
    inputs = {entry.name: entry.type.tensor_type.elem_type for entry in model.graph.input}
    if inputs != {INPUT: TensorProto.UINT8}:
        raise EngineError(f"{source}: inputs {sorted(inputs)}; expected uint8 {INPUT!r} alone")
    stored = _precision(model.graph)
    if stored != "float" and not half:
        raise EngineError(f"{source}: its convolutions are {stored}; expected a float32 model for a float32 plan")
    islands = half_graph(model).islands if half and stored == "float" else None
    if stored != "quantised" and (problems := type_problems(model)):
        raise EngineError(f"{source}: not strongly typed: {problems[0]}")
    _name_nodes(model.graph)
    return PlanGraph(
        model=model.SerializeToString(),
        spec=spec,
        precision=stored if islands is None else "half",
        source_precision=stored,
        source=source.name,
        source_sha256=file_sha256(source),
        convolutions=tuple(node.name for node in model.graph.node if node.op_type in CONVOLUTIONS),
        nodes=len(model.graph.node),
        parameters=sum(_size(entry) for entry in model.graph.initializer),
        opset=next((entry.version for entry in model.opset_import if not entry.domain), 0),
        islands=islands or {},
    )


def _precision(graph: onnx.GraphProto) -> Precision:
    """Of the convolutions. A graph with any Q/DQ node is quantised."""
    if any(node.op_type == "DequantizeLinear" for node in graph.node):
        return "quantised"
    types = {entry.name: entry.data_type for entry in graph.initializer}
    kernels = [types.get(node.input[1]) for node in graph.node if node.op_type in CONVOLUTIONS]
    return "half" if kernels and all(kind == TensorProto.FLOAT16 for kind in kernels) else "float"


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name, which TensorRT's errors and its inspector repeat."""
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{number}"


def _size(entry: TensorProto) -> int:
    size = 1
    for side in entry.dims:
        size *= side
    return size
