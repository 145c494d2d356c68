"""What an ONNX file may ask for is seen before it is run."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from startrack.engines import load_engine
from startrack.engines.base import SPEC_KEY, EngineError
from startrack.engines.onnx_nodes import graph_problem
from startrack.engines.zoo import zoo_models


def endless() -> list[onnx.NodeProto]:
    """A loop of 2⁶² turns whose body passes its value on."""
    kinds = {"turn": (TensorProto.INT64, []), "go": (TensorProto.BOOL, []), "x": (TensorProto.FLOAT, [])}
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in kinds.items()]
    outputs = [helper.make_tensor_value_info(name, *kinds[name[:-1]]) for name in ("go2", "x2")]
    steps = [helper.make_node("Identity", [name], [name + "2"]) for name in ("go", "x")]
    body = helper.make_graph(steps, "body", inputs, outputs)
    return [helper.make_node("Loop", ["many", "yes", "zero"], ["points"], body=body)]


def growing(operator: str, inputs: list[str]) -> list[onnx.NodeProto]:
    return [helper.make_node(operator, inputs, ["points"])]


def model(nodes: list[onnx.NodeProto], spec: str = "{}") -> bytes:
    constants = [
        helper.make_tensor("many", TensorProto.INT64, [], [1 << 62]),
        helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1 << 15, 1 << 14]),
        helper.make_tensor("raw", TensorProto.INT64, [2], (1 << 28).to_bytes(8, "little") * 2, raw=True),
        helper.make_tensor("small", TensorProto.INT64, [2], [3, 4]),
    ]
    crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 64, 64, 3])
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "made", [crops], [points], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    entry = made.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (endless(), "has the operators Loop, which can run without end"),
        (growing("ConstantOfShape", ["shape"]), r"asks for 536870912 values \(ConstantOfShape\)"),
        (growing("Expand", ["zero", "shape"]), r"asks for 536870912 values \(Expand\)"),
        (growing("Tile", ["zero", "raw"]), r"asks for 268435456 values \(Tile\)"),
        (growing("Range", ["zero", "many", "zero"]), r"asks for \d+ values \(Range\)"),
    ],
)
def test_what_runs_without_end_or_grows_is_refused(nodes: list[onnx.NodeProto], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "program.onnx"
    path.write_bytes(model(nodes))
    with pytest.raises(EngineError, match=rf"program\.onnx: {expected}"):
        load_engine(path, "cpu")


def test_loops_within_branches_are_seen() -> None:
    inner = helper.make_graph(endless(), "inner", [], [helper.make_tensor_value_info("points", TensorProto.FLOAT, [])])
    node = helper.make_node("If", ["yes"], ["points"], then_branch=inner, else_branch=inner)
    assert "If, Loop" in (graph_problem(model([node])) or "")


def test_small_constants_and_our_own_models_pass() -> None:
    assert graph_problem(model(growing("Expand", ["zero", "small"]))) is None
    assert [path.name for path in zoo_models() if graph_problem(path.read_bytes()) is not None] == []


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(200), b"\xff" * 200, b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_model_is_left_to_the_runtime(content: bytes) -> None:
    assert graph_problem(content) is None


def test_metadata_that_is_not_utf8_is_named(tiny_onnx: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.onnx"
    content = tiny_onnx.read_bytes()
    place = content.index(b"crop_scale")
    path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    with pytest.raises(EngineError, match=r"flipped\.onnx: metadata that is not UTF-8"):
        load_engine(path, "cpu")
