"""Covariances made honest inside a model's ONNX file: every engine then gives honest ones."""

# B batch, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.sidecar import Sidecar, check_sidecar

PREFIX = "calibration."
"""Of everything that is added to the graph; a second calibration replaces it."""
CHANGED = ("covariance", "score")
NODES = (
    # how widely the face's heatmaps spread: ln of their mean trace, the geometric mean
    ("Mul", ("raw_covariance", "eye"), "raw_diagonal"),
    ("ReduceSum", ("raw_diagonal", "axes"), "raw_trace"),
    ("Log", ("raw_trace",), "log_trace"),
    ("ReduceSum", ("log_trace", "last"), "log_sum"),
    ("Mul", ("log_sum", "share"), "spread"),
    ("Min", ("spread", "widest"), "known_spread"),
    ("Mul", ("known_spread", "growth"), "log_factor"),
    ("Exp", ("log_factor",), "factor"),
    ("Unsqueeze", ("factor", "behind"), "face_factor"),
    ("Mul", ("face_factor", "scale"), "factors"),
    ("Mul", ("raw_covariance", "factors"), "covariance"),
    # the score that follows from it
    ("Mul", ("covariance", "eye"), "diagonal"),
    ("ReduceSum", ("diagonal", "axes"), "trace"),
    ("Div", ("reach", "trace"), "ratio"),
    ("Exp", ("ratio",), "beyond"),
    ("Sub", ("one", "beyond"), "within"),
    ("Unsqueeze", ("presence", "last"), "face"),
    ("Mul", ("within", "face"), "score"),
)
"""Operation, inputs, output; the sum over landmarks leaves (B,), see _node."""


def calibrate_onnx(
    model: Path, out: Path, scale_K: Sequence[float], *, growth: float, widest: float, score_radius: float
) -> Sidecar:
    """Write `out` and its sidecar: `model` with covariance · scale · tᵍ, and the score that follows from it.

    t is the geometric mean of the traces of the face's covariances, px² of the crop. scale_K: one positive factor per
    landmark, of the model's own covariance, whether or not it was calibrated before. growth: g ≥ 0. widest: ln t from
    which on the factor grows no further. score_radius: pixels of the crop that the score speaks of, see
    engines.base.LandmarkBatch.score. Raises EngineError if the file is damaged or not a landmark model, ValueError
    for numbers that do not fit it.
    """
    graph_model, spec = _bare(model)
    scale = np.asarray(scale_K, np.float32)
    if scale.shape != (spec.num_landmarks,) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"factors {scale}: {spec.num_landmarks} positive numbers expected")
    if not (np.isfinite([growth, widest]).all() and growth >= 0):
        raise ValueError(f"growth {growth} up to {widest}: finite numbers expected, a growth of at least 0")
    graph = graph_model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{PREFIX}raw_{name}" if name in CHANGED else name for name in names]
    constants = {
        "scale": scale[:, None, None],
        "share": np.array(1 / spec.num_landmarks, np.float32),
        "widest": np.array(widest, np.float32),
        "growth": np.array(growth, np.float32),
        "eye": np.eye(2, dtype=np.float32),
        "axes": np.array([-2, -1]),
        "last": np.array([1]),
        "behind": np.array([1, 2, 3]),
        "reach": np.array(-(score_radius**2), np.float32),
        "one": np.array(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items())
    graph.node.extend(_node(*node) for node in NODES)
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


def _node(operation: str, inputs: Sequence[str], output: str) -> onnx.NodeProto:
    """A node between tensors of the calibration; those of the graph itself keep their names."""
    own = {"covariance", "score", "presence"}
    names = [name if name in own else PREFIX + name for name in (*inputs, output)]
    node: onnx.NodeProto = helper.make_node(operation, names[:-1], names[-1:], name=PREFIX + output)
    if operation == "ReduceSum":
        node.attribute.append(helper.make_attribute("keepdims", 0))
    return node


def _remove_calibration(graph: onnx.GraphProto) -> None:
    """Undo an earlier one."""
    nodes = [node for node in graph.node if not node.name.startswith(PREFIX)]
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [name.removeprefix(f"{PREFIX}raw_") for name in names]
    kept = [value for value in graph.initializer if not value.name.startswith(PREFIX)]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
