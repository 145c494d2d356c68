from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper, parser

from startrack.engines import load_engine
from startrack.engines.base import EngineError, ModelSpec
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.export_half import LARGEST, export_half, half_graph, to_half
from startrack.engines.graphs.fold import fold, read_graph
from startrack.engines.graphs.types import element_types, type_problems
from startrack.engines.sidecar import read_sidecar
from tests.engines.half_rounding import rounding_graph

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT
HEADER = '<ir_version: 10, opset_import: ["" : 20]>'


def graph(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    """A model in ONNX's text form, with constants that are too long for it."""
    model = parser.parse_model(HEADER + text)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def kernel(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


@pytest.fixture
def guided() -> onnx.ModelProto:
    """The parts of a STAR stack: coordinates, normed heatmaps, a mask from them, coordinates where it is high."""
    return graph(
        """stack (float[N, 2, 8, 8] x) => (float[N, 2] points, float[N, 2, 8, 8] heatmaps) {
            batch = Shape <start = 0, end = 1> (x)
            shape = Concat <axis = 0> (batch, three_eight_eight)
            where = Expand (coordinates, shape)
            joined = Concat <axis = 1> (x, where)
            features = Conv (joined, first)
            active = Relu (features)
            logits = Conv (active, second)
            normed = InstanceNormalization (logits, one, zero)
            heatmaps = Relu (normed)
            low = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (active)
            high = Resize <mode = "nearest"> (low, , scales)
            sum = Add (high, active)
            mask = Greater (heatmaps, threshold)
            shown = Cast <to = 1> (mask)
            two = Slice (where, from, to, axis)
            guide = Mul (two, shown)
            again = Concat <axis = 1> (sum, where, guide)
            last = Conv (again, third)
            attention = Sigmoid (last)
            masked = Mul (heatmaps, attention)
            points = ReduceSum <keepdims = 0> (masked, axes)
        }""",
        coordinates=kernel(3, 8, 8, seed=1),
        three_eight_eight=np.array([3, 8, 8]),
        first=kernel(4, 5, 1, 1, seed=2),
        second=kernel(2, 4, 1, 1, seed=3),
        third=kernel(2, 9, 1, 1, seed=4),
        one=np.ones(2, np.float32),
        zero=np.zeros(2, np.float32),
        scales=np.array([1, 1, 2, 2], np.float32),
        threshold=np.array(0.05, np.float32),
        axes=np.array([2, 3]),
        **{"from": np.array([0]), "to": np.array([2]), "axis": np.array([1])},
    )


def test_convolutions_are_half_and_norm_and_decode_are_not(guided: onnx.ModelProto) -> None:
    x = kernel(3, 2, 8, 8, seed=9)
    points, heatmaps = run(guided, x=x)
    report = half_graph(guided)
    types = element_types(guided)
    half = ("features", "active", "logits", "low", "high", "sum", "again", "last", "attention", "guide")
    assert {name: types[name] for name in half} == dict.fromkeys(half, HALF)
    full = ("x", "joined", "where", "normed", "heatmaps", "masked", "points", "scales")
    assert {name: types[name] for name in full} == dict.fromkeys(full, FLOAT)
    # the mask is made in half, not cast to it
    casts = [node.output[0] for node in guided.graph.node if node.name.endswith(".cast")]
    assert sorted(casts) == ["attention.float", "joined.half", "logits.float", "where.half"]
    assert report.casts == 4
    assert report.half_convolutions == 3
    assert report.islands == {
        **dict.fromkeys(("Expand", "Concat", "InstanceNormalization", "Relu", "Greater", "Mul", "ReduceSum"), 1)
    }
    for model in (guided, rounding_graph(guided)):
        got_points, got_heatmaps = run(model, x=x)
        np.testing.assert_allclose(got_heatmaps, heatmaps, atol=2e-2)
        np.testing.assert_allclose(got_points, points, rtol=5e-3, atol=5e-2)


def test_weights_outside_the_range_of_half_are_counted() -> None:
    values = np.array([1, 1e-9, -1e-9, 1e6, -np.inf, 0], np.float32).reshape(6, 1, 1, 1)
    model = graph("net (float[1, 1, 4, 4] x) => (float[1, 6, 4, 4] y) { y = Conv (x, w) }", w=values)
    report = half_graph(model)
    assert (report.weights, report.vanished, report.clamped) == (6, 2, 2)
    assert to_half(values).ravel().tolist() == [1, 0, 0, LARGEST, -LARGEST, 0]
    assert "1 half convolutions, 6 half weights (2 too small, 2 too large), 2 casts" in report.to_text()


def test_a_constant_that_both_sides_read_is_kept_in_both_types() -> None:
    model = graph(
        """net (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y, float[1, 2, 4, 4] z) {
            conv = Conv (x, w)
            y = Mul (conv, c)
            normed = InstanceNormalization (conv, one, zero)
            z = Mul (normed, c)
        }""",
        w=kernel(2, 2, 1, 1),
        c=np.array(0.1, np.float32),
        one=np.ones(2, np.float32),
        zero=np.zeros(2, np.float32),
    )
    half_graph(model)
    types = element_types(model)
    assert (types["c"], types["c.half"], types["y.half"], types["y"], types["z"]) == (FLOAT, HALF, HALF, FLOAT, FLOAT)


def test_folding_changes_the_nodes_and_not_the_results() -> None:
    norm = {"s": kernel(2), "b": kernel(2, seed=1), "m": kernel(2, seed=2), "v": np.array([0.5, 2], np.float32)}
    model = graph(
        """net (uint8[1, 8, 8, 3] crops) => (float[1, 2, 8, 8] y, float[1, 2, 8, 8] z) {
            turned = Transpose <perm = [0, 3, 1, 2]> (crops)
            pixels = Cast <to = 1> (turned)
            small = Div (pixels, scale)
            kernel = Cast <to = 1> (stored)
            first = Conv (small, kernel)
            folded = BatchNormalization (first, s, b, m, v)
            y = Relu (folded)
            again = BatchNormalization <epsilon = 0.1> (y, s, b, m, v)
            factor = Constant <value = float {2.0}> ()
            z = Mul (again, factor)
        }""",
        stored=kernel(2, 3, 1, 1).astype(np.float16),
        scale=np.array(127.5, np.float32),
        **norm,
    )
    crops = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    expected = run(model, crops=crops)
    fold(model)
    operations = [node.op_type for node in model.graph.node]
    assert operations == ["Cast", "Transpose", "Div", "Conv", "Relu", "Mul", "Add", "Mul"]
    assert type_problems(model) == []
    for got, value in zip(run(model, crops=crops), expected, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-4)


def test_pixels_are_cast_before_they_are_cut() -> None:
    model = graph(
        """net (uint8[n, 8, 8, 3] crops) => (float[n, 3, 4, 8] y, float[n, 3, 4, 8] z, int64[4] s) {
            part = Slice (crops, from, to, axis)
            s = Shape (part)
            turned = Transpose <perm = [0, 3, 1, 2]> (part)
            pixels = Cast <to = 1> (turned)
            again = Cast <to = 1> (turned)
            y = Mul (scale, pixels)
            z = Add (again, pixels)
        }""",
        scale=np.array(2, np.float32),
        **{"from": np.array([2]), "to": np.array([6]), "axis": np.array([1])},
    )
    crops = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    expected = run(model, crops=crops)
    assert "reads or writes uint8" in type_problems(model)[0]
    fold(model)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Slice", "Shape", "Transpose", "Mul", "Add"]
    assert type_problems(model) == []
    for got, value in zip(run(model, crops=crops), expected, strict=True):
        np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize(
    "body",
    [
        "a = Max (crops, crops) y = Cast <to = 1> (a)",
        "a = Concat <axis = 0> (five, crops) y = Cast <to = 1> (a)",
        "y = Cast <to = 1> (crops) a = Identity (crops) z = Max (a, a)",
    ],
)
def test_a_graph_that_computes_with_pixels_stays_as_it_is(body: str) -> None:
    model = graph(f"net (uint8[8] crops) => (float[n] y) {{ {body} }}", five=np.array([5], np.uint8))
    before = list(model.graph.node)
    fold(model)
    assert list(model.graph.node) == before


def test_a_convolution_that_others_read_too_keeps_its_result() -> None:
    norm = {"s": kernel(2), "b": kernel(2, seed=1), "m": kernel(2, seed=2), "v": np.array([0.5, 2], np.float32)}
    model = graph(
        """net (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) {
            conv = Conv (x, w)
            norm = BatchNormalization (conv, s, b, m, v)
            y = Add (conv, norm)
        }""",
        w=kernel(2, 2, 3, 3)[..., 1:2, 1:2],
        **norm,
    )
    expected = run(model, x=kernel(1, 2, 4, 4, seed=5))[0]
    fold(model)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Mul", "Add", "Add"]
    np.testing.assert_allclose(run(model, x=kernel(1, 2, 4, 4, seed=5))[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("y = Add (x, h)", "Add|elem type|mismatch|inconsistent"),
        ("y = Concat <axis = 0> (x, h)", "Concat|inconsistent|mismatch"),
        ("y = Pow (x, h)", "mixes float32 and float16"),
        ("a = Cast <to = 11> (x) y = Cast <to = 1> (a)", "is DOUBLE; expected float, half, int or bool"),
        ("a = Cast <to = 2> (x) b = Neg (a) y = Cast <to = 1> (b)", "Neg"),
        ("a = Cast <to = 2> (x) b = Identity (a) y = Cast <to = 1> (b)", "reads or writes uint8"),
        ("y = If (t) <then_branch = g () => (float[4] q) { q = Identity (x) }, "
         "else_branch = g () => (float[4] r) { r = Neg (x) }>", "holds a graph"),
    ],
)  # fmt: skip
def test_what_a_strict_parser_would_not_take_is_found(body: str, problem: str) -> None:
    model = graph(f"net (float[4] x, float16[4] h, bool t) => (float[4] y) {{ {body} }}")
    found = type_problems(model)
    assert found
    assert re.search(problem, found[0]), found


def test_resize_scales_stay_float32() -> None:
    body = 'net (float[1, 1, 2, 2] x) => (float[1, 1, 4, 4] y) { y = Resize <mode = "nearest"> (x, , s) }'
    scales = np.array([1, 1, 2, 2], np.float32)
    assert type_problems(graph(body, s=scales)) == []
    assert type_problems(graph(body, s=scales.astype(np.float16))) != []


def test_a_model_file_becomes_half(
    tiny_onnx: Path, tiny_spec: ModelSpec, tmp_path: Path, tiny_module: torch.nn.Module
) -> None:
    stored, half = tmp_path / "stored.onnx", tmp_path / "half.onnx"
    export_onnx(tiny_module, tiny_spec, stored)
    crops = np.random.default_rng(3).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    with load_engine(tiny_onnx) as engine:
        expected = engine(crops, heatmaps=True)
    for source in (tiny_onnx, stored):
        report = export_half(source, half)
        assert report.half_convolutions == sum(isinstance(one, torch.nn.Conv2d) for one in tiny_module.modules())
        assert (report.vanished, report.clamped) == (0, 0)
        sidecar = read_sidecar(half)
        assert sidecar is not None
        assert sidecar.spec == tiny_spec
        model = onnx.load(half)
        assert type_problems(model) == []
        constants = {entry.name: entry.data_type for entry in model.graph.initializer}
        kernels = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
        assert {constants[name] for name in kernels} == {HALF}
        assert {output.type.tensor_type.elem_type for output in model.graph.output} == {FLOAT}
        with load_engine(half) as engine:
            batch = engine(crops, heatmaps=True)
        np.testing.assert_allclose(batch.points, expected.points, atol=0.2)
        np.testing.assert_allclose(batch.presence, expected.presence, atol=0.01)


def test_a_detector_is_not_turned_into_half(tmp_path: Path) -> None:
    model = graph("net (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] y) { y = Relu (x) }")
    path = tmp_path / "bare.onnx"
    onnx.save(model, path)
    assert read_graph(path).graph.node[0].op_type == "Relu"
    with pytest.raises(EngineError, match=r"bare\.onnx: no 'startrack' entry in its metadata"):
        export_half(path, tmp_path / "half.onnx")
    entry = model.metadata_props.add()
    entry.key, entry.value = "startrack", '{"kind": "face_detector"}'
    onnx.save(model, path)
    with pytest.raises(EngineError, match="not a startrack model specification"):
        export_half(path, tmp_path / "half.onnx")


def test_a_graph_that_cannot_be_typed_is_refused() -> None:
    model = graph("net (double[1, 1, 4, 4] x) => (double[1, 1, 4, 4] y) { y = Relu (x) }")
    with pytest.raises(EngineError, match="net: not strongly typed after the conversion: Relu y: x is DOUBLE"):
        half_graph(model)
