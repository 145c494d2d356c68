"""Graphs rewritten to channels last compute what they did, and ONNX Runtime turns no map of theirs any more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.channels_last import to_channels_last
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.quantise import quantise
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from tests.engines.graphs.test_quantise import SPEC, pictures


def graph_of(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], inputs: dict[str, list]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    (out,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)
    return np.asarray(out)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_a_pointwise_convolution_becomes_a_product(stride: int, bias: bool) -> None:
    rng = np.random.default_rng(0)
    constants = {"kernel": rng.normal(size=(5, 3, 1, 1)).astype(np.float32)}
    if bias:
        constants["bias"] = rng.normal(size=5).astype(np.float32)
    conv = helper.make_node("Conv", ["x", *constants], ["out"], strides=[stride, stride])
    model = graph_of([conv], constants, {"x": ["batch", 3, 7, 6]})
    x = rng.normal(size=(2, 3, 7, 6)).astype(np.float32)
    before = run(model, x=x)
    to_channels_last(model)
    assert "Conv" not in {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(model, x=x), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("first", ["small", "large"])
def test_a_doubled_map_is_added_without_being_doubled(first: str) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    double = helper.make_node("Resize", ["small", "", "scales"], ["doubled"], mode="nearest", nearest_mode="floor",
                              coordinate_transformation_mode="asymmetric")  # fmt: skip
    order = ["doubled", "large"] if first == "small" else ["large", "doubled"]
    inputs = {"small": ["batch", 3, 2, 4], "large": ["batch", 3, 4, 8]}
    model = graph_of([double, helper.make_node("Add", order, ["out"])], {"scales": scales}, inputs)
    rng = np.random.default_rng(0)
    maps = {name: rng.normal(size=(2, *shape[1:])).astype(np.float32) for name, shape in inputs.items()}
    before = run(model, **maps)
    to_channels_last(model)
    assert "Resize" not in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(run(model, **maps), before)
    np.testing.assert_array_equal(before, maps["large"] + maps["small"].repeat(2, axis=2).repeat(2, axis=3))


@pytest.mark.parametrize(
    "changed",
    [{"group": 3}, {"pads": [1, 1, 1, 1]}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}],
    ids=["grouped", "padded", "three by three"],
)
def test_other_convolutions_stay(changed: dict[str, object]) -> None:
    size = 3 if "kernel_shape" in changed else 1
    kernel = np.ones((3, 1 if "group" in changed else 3, size, size), np.float32)
    conv = helper.make_node("Conv", ["x", "kernel"], ["out"], **changed)
    model = graph_of([conv], {"kernel": kernel}, {"x": ["batch", 3, 4, 4]})
    before = model.SerializeToString()
    to_channels_last(model)
    assert model.SerializeToString() == before


DOUBLED = {"small": ["batch", 3, 2, 4], "large": ["batch", 3, 4, 8]}
FLAT = {"small": ["batch", 3, 2, 4], "large": ["batch", 3, 1, 1]}


@pytest.mark.parametrize(
    ("last", "inputs", "how"),
    [
        (helper.make_node("Mul", ["doubled", "sum"], ["out"]), DOUBLED, {}),
        (helper.make_node("Relu", ["sum"], ["out"]), DOUBLED, {"nearest_mode": "floor"}),
        (helper.make_node("Relu", ["sum"], ["out"]), FLAT, {}),
    ],
    ids=["others read it", "not every pixel is repeated", "the other map is broadcast"],
)
def test_other_doubled_maps_stay(last: onnx.NodeProto, inputs: dict[str, list], how: dict[str, str]) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    nodes = [
        helper.make_node("Resize", ["small", "", "scales"], ["doubled"], mode="nearest", **how),
        helper.make_node("Add", ["doubled", "large"], ["sum"]),
        last,
    ]
    model = graph_of(nodes, {"scales": scales}, inputs)
    before = model.SerializeToString()
    to_channels_last(model)
    assert model.SerializeToString() == before


def test_onnx_runtime_turns_no_map_of_a_quantised_network(tmp_path: Path) -> None:
    """Only the crops, if anything, and the maps of the head, whose cells are decoded one behind the other."""
    torch.manual_seed(0)
    network = CompactHourglass(68, stem_width=16, widths=(16, 24, 24, 32))
    export_onnx(SoftmaxLandmarks(network, SPEC), SPEC, tmp_path / "float.onnx")
    quantise(tmp_path / "float.onnx", list(pictures(4, 1)[:, None]), tmp_path / "small.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(tmp_path / "small.onnx"), options, providers=["CPUExecutionProvider"])
    as_run = onnx.load(tmp_path / "as_run.onnx").graph
    moves = [node.op_type for node in as_run.node if node.op_type in ("Transpose", "ReorderInput", "ReorderOutput")]
    assert moves == ["Transpose"]
