"""1×1 convolutions in a row: hand-made graphs."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from startrack.engines.graphs.merge import merge_pointwise


def pair(*, kernel: int = 1, read_twice: bool = False) -> onnx.ModelProto:
    """x → Conv(3 → 5, 1×1) → Conv(5 → 2, kernel) → y; the first one's result is also an output if read_twice."""
    rng = np.random.default_rng(0)
    shapes = {"a": (5, 3, 1, 1), "b": (5,), "c": (2, 5, kernel, kernel), "d": (2,)}
    constants = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [helper.make_node("Conv", ["x", "a", "b"], ["h"]), helper.make_node("Conv", ["h", "c", "d"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])]
    names = ["y", "h"] if read_twice else ["y"]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes, "pair", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def result(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    crops = np.random.default_rng(1).normal(size=(1, 3, 4, 4)).astype(np.float32)
    return np.asarray(session.run(["y"], {"x": crops})[0])


def test_two_become_one_that_gives_the_same() -> None:
    model = pair()
    before = result(model)
    merge_pointwise(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert sorted(tuple(entry.dims) for entry in model.graph.initializer) == [(2,), (2, 3, 1, 1)]
    np.testing.assert_allclose(result(model), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"kernel": 3}, {"read_twice": True}])
def test_others_stay(options: dict[str, int]) -> None:
    model = pair(**options)  # type: ignore[arg-type]
    merge_pointwise(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Conv"]
