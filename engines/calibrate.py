"""Covariances times a factor per landmark, inside a model's ONNX file: every engine then gives honest ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

from engines.base import SPEC_KEY, EngineError, ModelSpec
from engines.onnx_file import write_model
from engines.sidecar import Sidecar, check_sidecar

PREFIX = "calibration."
"""Of everything that is added to the graph; a second calibration replaces it."""
CHANGED = ("covariance", "score")


def calibrate_onnx(model: Path, out: Path, scale_K: Sequence[float], *, score_radius: float) -> Sidecar:
    """Write `out` and its sidecar: `model` with covariance · scale, and the score that follows from it.

    scale_K: one positive factor per landmark, of the model's own covariance, whether or not it was calibrated before.
    score_radius: pixels of the crop that the score speaks of, see engines.base.LandmarkBatch.score.
    Raises EngineError if the file is damaged or not a landmark model, ValueError for factors that do not fit it.
    """
    check_sidecar(model)
    graph_model = _load(model)
    graph = graph_model.graph
    spec = _spec(graph_model, model)
    scale = np.asarray(scale_K, np.float32)
    if scale.shape != (spec.num_landmarks,) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"factors {scale}: {spec.num_landmarks} positive numbers expected")
    _remove_calibration(graph)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{PREFIX}raw_{name}" if name in CHANGED else name for name in names]
    constants = {
        "scale": scale[:, None, None],
        "eye": np.eye(2, dtype=np.float32),
        "axes": np.array([-2, -1]),
        "last": np.array([1]),
        "reach": np.array(-(score_radius**2), np.float32),
        "one": np.array(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items())
    graph.node.extend(
        [
            _node("Mul", ["raw_covariance", "scale"], "covariance"),
            _node("Mul", ["covariance", "eye"], "diagonal"),
            _node("ReduceSum", ["diagonal", "axes"], "trace"),
            _node("Div", ["reach", "trace"], "ratio"),
            _node("Exp", ["ratio"], "beyond"),
            _node("Sub", ["one", "beyond"], "within"),
            _node("Unsqueeze", ["presence", "last"], "face"),
            _node("Mul", ["within", "face"], "score"),
        ]
    )
    return write_model(graph_model, spec, out, half_weights=False)


def read_scale(model: Path) -> list[float] | None:
    """(K,) the factors in a calibrated file, None if it is not calibrated. Raises EngineError for a damaged one."""
    for initializer in _load(model).graph.initializer:
        if initializer.name == f"{PREFIX}scale":
            return [float(value) for value in numpy_helper.to_array(initializer).ravel()]
    return None


def _load(model: Path) -> ModelProto:
    try:
        return onnx.load(model)
    except Exception as error:  # onnx raises protobuf's own errors
        raise EngineError(f"{model}: not an ONNX model that can be loaded: {error}") from error


def _spec(model: ModelProto, path: Path) -> ModelSpec:
    texts = [entry.value for entry in model.metadata_props if entry.key == SPEC_KEY]
    outputs = {value.name for value in model.graph.output}
    if not texts or not outputs >= {"presence", *CHANGED}:
        raise EngineError(f"{path}: not a landmark model; expected a specification, and outputs with a covariance")
    return ModelSpec.from_json(texts[0], str(path))


def _node(operation: str, inputs: list[str], output: str) -> onnx.NodeProto:
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
