"""A model's ONNX file as TensorRT is to parse it: folded, strongly typed, in the precision asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from startrack.engines.base import SPEC_KEY, DetectorSpec, EngineError, EyeSpec, ModelSpec, parse_spec
from startrack.engines.graphs.export_half import CONVOLUTIONS, half_graph
from startrack.engines.graphs.fold import read_graph
from startrack.engines.graphs.types import quantisation_problems, type_problems
from startrack.engines.plans.facts import INPUT, Precision
from startrack.engines.sidecar import file_sha256

LEFT_OUT = ("heatmaps", "visibility")
"""Outputs that a plan does without: 1.6 MB a face that nothing reads while tracking, and the visibilities, which ONNX
Runtime and Triton give. [LIMIT] Tracks by a plan have no visibility."""
SUMS = {
    *("InstanceNormalization", "LayerNormalization", "GroupNormalization", "Softmax", "LogSoftmax"),
    *("ReduceSum", "ReduceMean", "ReduceL2", "ReduceLogSumExp", "GlobalAveragePool", "MatMul", "Gemm"),
}
"""Operations of float32 that must not run in half: sums over maps and channels."""


@dataclass(frozen=True, slots=True)
class PlanGraph:
    """A graph that a plan is built of."""

    model: bytes
    """ONNX, ready to be parsed."""
    spec: ModelSpec | DetectorSpec
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
    float_nodes: tuple[str, ...] = ()
    """Names of the nodes of SUMS, which stay float32."""

    @property
    def input(self) -> str:
        """Name of the only input: (B, S, S, 3) uint8, S the specification's input size."""
        return _input_name(self.spec)


def plan_graph(source: Path, *, half: bool) -> PlanGraph:
    """Read a model of startrack export.

    half: convolutions in float16, unless the file is quantised (Q/DQ nodes) or half already; otherwise all stays
    float32. Raises EngineError if the file is damaged, is no model of ours, is quantised in a way that TensorRT does
    not build, or cannot be typed as asked.
    """
    model = read_graph(source)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in entries:
        raise EngineError(f"{source}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    spec = parse_spec(entries[SPEC_KEY], str(source))
    if isinstance(spec, EyeSpec):
        raise EngineError(f"{source}: a model of eyes; expected one of landmarks or of faces: eyes run in ONNX Runtime")
    inputs = {entry.name: entry.type.tensor_type.elem_type for entry in model.graph.input}
    if inputs != {_input_name(spec): TensorProto.UINT8}:
        raise EngineError(f"{source}: inputs {sorted(inputs)}; expected uint8 {_input_name(spec)!r} alone")
    stored = _precision(model.graph)
    if stored == "quantised" and (problems := quantisation_problems(model.graph)):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise EngineError(f"{source}: no 8-bit model that TensorRT builds: {problems[0]}{more}; {_way_out(source)}")
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
        float_nodes=tuple(node.name for node in model.graph.node if stored != "quantised" and node.op_type in SUMS),
    )


def _input_name(spec: ModelSpec | DetectorSpec) -> str:
    return INPUT if isinstance(spec, ModelSpec) else "pictures"


def _way_out(source: Path) -> str:
    """What to build instead of an 8-bit model of engines.graphs.quantise."""
    beside = source.with_name(f"{source.stem}-float.onnx")
    name = beside.name if beside.is_file() else "its float model"
    return f"expected {name}, which build-engine makes half, or int8 maps and kernels with zero points of 0"


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
