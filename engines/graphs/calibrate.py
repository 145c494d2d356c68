"""Covariances made honest inside a model's ONNX file, and visibilities: every engine then gives honest ones."""

# B batch, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar, check_sidecar

PREFIX = "calibration."
"""Of everything that is added to the graph; a second calibration replaces it."""
CHANGED = ("covariance", "score")
VISIBILITY = "visibility"
"""The output that a calibration adds."""
NODES = (
    # how widely each heatmap spreads: ln of its trace
    ("Mul", ("raw_covariance", "eye"), ("raw_diagonal",)),
    ("ReduceSum", ("raw_diagonal", "axes"), ("raw_trace",)),
    ("Log", ("raw_trace",), ("log_trace",)),
    ("Min", ("log_trace", "widest"), ("known_trace",)),
    # two numbers for each landmark: ln of the covariance's factor, and the logit of its visibility
    ("MatMul", ("known_trace", "weights"), ("mixed",)),
    ("Add", ("mixed", "bias"), ("both",)),
    ("Split", ("both", "halves"), ("log_factor", "logit")),
    ("Exp", ("log_factor",), ("factor",)),
    ("Unsqueeze", ("factor", "behind"), ("factors",)),
    ("Mul", ("raw_covariance", "factors"), ("covariance",)),
    ("Sigmoid", ("logit",), ("seen",)),
    ("Unsqueeze", ("presence", "last"), ("face",)),
    ("Mul", ("seen", "face"), ("visibility",)),
    # the score that follows from the covariance
    ("Mul", ("raw_trace", "factor"), ("trace",)),
    ("Div", ("reach", "trace"), ("ratio",)),
    ("Exp", ("ratio",), ("beyond",)),
    ("Sub", ("one", "beyond"), ("within",)),
    ("Mul", ("within", "face"), ("score",)),
)
"""Operation, inputs, outputs; the sum over a covariance's axes leaves (B, K), see _node."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationMap:
    """The addition of a calibration to a graph. t: (K,) ln of the traces of a face's covariances, px² of the crop,
    each at most `widest`."""

    weights: Sequence[Sequence[float]] | NDArray[np.floating]
    """(K, K): a landmark's covariance is multiplied by exp(t · weights + bias)."""
    bias: Sequence[float] | NDArray[np.floating]
    """(K,)."""
    widest: float
    visibility_weights: Sequence[Sequence[float]] | NDArray[np.floating]
    """(K, K): its visibility is presence / (1 + exp(-(t · visibility_weights + visibility_bias)))."""
    visibility_bias: Sequence[float] | NDArray[np.floating]
    """(K,)."""

    def constants(self, count: int) -> dict[str, NDArray[np.float32]]:
        """The graph's numbers. Raises ValueError for numbers that do not fit a model of `count` landmarks."""
        parts = {"weights": (self.weights, self.visibility_weights), "bias": (self.bias, self.visibility_bias)}
        shapes = {"weights": (count, count), "bias": (count,)}
        arrays = {}
        for name, both in parts.items():
            values = [np.asarray(value, np.float32) for value in both]
            if any(value.shape != shapes[name] or not np.isfinite(value).all() for value in values):
                raise ValueError(f"{name} of shapes {[v.shape for v in values]}: finite {shapes[name]} expected")
            arrays[name] = np.concatenate(values, axis=-1)
        if not np.isfinite(self.widest):
            raise ValueError(f"widest {self.widest}: a finite number expected")
        return arrays | {"widest": np.array(self.widest, np.float32)}


def calibrate_onnx(model: Path, out: Path, calibration: CalibrationMap, *, score_radius: float) -> Sidecar:
    """Write `out` and its sidecar: `model` with calibrated covariances, the scores that follow from them, and a further
    output, the visibility (B, K).

    The calibration is of the model's own covariance, whether or not it was calibrated before. score_radius: pixels of
    the crop that the score speaks of, see engines.base.LandmarkBatch.score. Raises EngineError if the file is damaged
    or not a landmark model, ValueError for numbers that do not fit it.
    """
    graph_model, spec = _bare(model)
    constants: dict[str, NDArray[Any]] = {
        **calibration.constants(spec.num_landmarks),
        "eye": np.eye(2, dtype=np.float32),
        "axes": np.array([-2, -1]),
        "last": np.array([1]),
        "behind": np.array([2, 3]),
        "halves": np.array([spec.num_landmarks] * 2),
        "reach": np.array(-(score_radius**2), np.float32),
        "one": np.array(1, np.float32),
    }
    graph = graph_model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{PREFIX}raw_{name}" if name in CHANGED else name for name in names]
    graph.initializer.extend(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items())
    graph.node.extend(_node(*node) for node in NODES)
    batch = next(value.type.tensor_type.shape.dim[0].dim_param for value in graph.output if value.name == "score")
    shape = [batch or "batch", spec.num_landmarks]
    graph.output.append(helper.make_tensor_value_info(VISIBILITY, onnx.TensorProto.FLOAT, shape))
    return write_model(graph_model, spec, out, half_weights=False)


def write_uncalibrated(model: Path, out: Path) -> Sidecar:
    """Write `out` and its sidecar: `model` as it was before any calibration. Raises EngineError as calibrate_onnx."""
    graph_model, spec = _bare(model)
    return write_model(graph_model, spec, out, half_weights=False)


def _bare(path: Path) -> tuple[ModelProto, ModelSpec]:
    """A checked landmark model without calibration, and its specification."""
    check_sidecar(path)
    try:
        model = onnx.load(path)
    except Exception as error:  # onnx raises protobuf's own errors
        raise EngineError(f"{path}: not an ONNX model that can be loaded: {error}") from error
    texts = [entry.value for entry in model.metadata_props if entry.key == SPEC_KEY]
    outputs = {value.name for value in model.graph.output}
    if not texts or not outputs >= {"presence", *CHANGED}:
        raise EngineError(f"{path}: not a landmark model; expected a specification, and outputs with a covariance")
    spec = ModelSpec.from_json(texts[0], str(path))
    _remove_calibration(model.graph)
    return model, spec


def _node(operation: str, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.NodeProto:
    """A node between tensors of the calibration; those of the graph itself keep their names."""
    own = {*CHANGED, VISIBILITY, "presence"}
    taken, given = ([name if name in own else PREFIX + name for name in names] for names in (inputs, outputs))
    node: onnx.NodeProto = helper.make_node(operation, taken, given, name=PREFIX + outputs[0])
    attributes = {"ReduceSum": ("keepdims", 0), "Split": ("axis", -1)}
    if operation in attributes:
        node.attribute.append(helper.make_attribute(*attributes[operation]))
    return node


def _remove_calibration(graph: onnx.GraphProto) -> None:
    """Undo an earlier one."""
    nodes = [node for node in graph.node if not node.name.startswith(PREFIX)]
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [name.removeprefix(f"{PREFIX}raw_") for name in names]
    kept = [value for value in graph.initializer if not value.name.startswith(PREFIX)]
    outputs = [value for value in graph.output if value.name != VISIBILITY]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    graph.output.extend(outputs)
