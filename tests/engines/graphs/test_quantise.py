from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from startrack.engines.base import DetectorSpec, EngineError, ModelSpec
from startrack.engines.graphs.calibrate import CalibrationMap, calibrate_onnx
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.export_detector import export_detector
from startrack.engines.graphs.fold import read_graph
from startrack.engines.graphs.quantise import _normalise_in_first_convolution, quantise
from startrack.engines.graphs.wide_first import read_four_pixels
from startrack.engines.onnx_detector_engine import OnnxDetectorEngine
from startrack.engines.onnx_engine import OnnxEngine
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.face_detector import DeployedDetector, FaceDetector
from startrack.train.models.landmark_head import SoftmaxLandmarks

FEATURES = ("Conv", "Relu", "Add", "Resize", "DequantizeLinear")
SPEC = ModelSpec("tiny", "ibug_68", 68, 64, 16, 1.25)
DETECTOR = DetectorSpec(
    "tiny-detector", strides=(8, 16, 32), input_size=96, smallest_face=16, min_score=0.5, max_overlap=0.4
)


@pytest.fixture(scope="module")
def floating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network whose heatmaps have peaks."""
    torch.manual_seed(0)
    network = CompactHourglass(68, stem_width=16, widths=(16, 24, 24, 32))
    with torch.no_grad():
        for head in network.heads:
            head.weight *= 8
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    export_onnx(SoftmaxLandmarks(network, SPEC), SPEC, path)
    return path


def pictures(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_landmarks_stay_where_they_are_and_the_file_shrinks(floating: Path, tmp_path: Path) -> None:
    sidecar = quantise(floating, list(pictures(32, 1)[:, None]), tmp_path / "small.onnx")
    assert sidecar.spec == SPEC
    crops = pictures(16, 2)
    with OnnxEngine(floating) as before, OnnxEngine(tmp_path / "small.onnx") as after:
        assert after.spec == SPEC
        exact, narrow = before(crops), after(crops)
    spread = np.linalg.norm(exact.points - exact.points.mean(axis=(0, 1)), axis=-1).mean()
    # not the mean: an untrained heatmap has several peaks of nearly one height
    assert np.median(np.linalg.norm(exact.points - narrow.points, axis=-1)) < 0.1 * spread
    np.testing.assert_allclose(narrow.presence, exact.presence, atol=0.05)
    assert (tmp_path / "small.onnx").stat().st_size < 0.75 * floating.stat().st_size


def test_heads_decoding_and_pointwise_convolutions_before_sums_stay_float(floating: Path, tmp_path: Path) -> None:
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    graph = onnx.load(tmp_path / "small.onnx").graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    sizes = {one.name: tuple(one.dims[2:]) for one in graph.initializer}
    sizes |= {node.output[0]: sizes[node.input[0]] for node in graph.node if node.input and node.input[0] in sizes}
    counted = Counter(
        (makers.get(node.input[1]) == "DequantizeLinear", sizes[node.input[1]])
        for node in graph.node
        if node.op_type == "Conv"
    )
    assert counted == {(True, (3, 3)): 32}
    # by stack three shortcuts and three lifts, between the stacks one pair made one, and the last stack's head
    assert sum(node.op_type == "Gemm" and node.output[0].endswith(".product") for node in graph.node) == 14
    for node in graph.node:
        if node.op_type in ("Softmax", "MatMul", "ReduceSum", "ReduceMean", "Resize"):
            assert all(makers.get(name) != "DequantizeLinear" for name in node.input), node.name


def test_sums_take_maps_as_they_are_and_convolutions_round_them(floating: Path, tmp_path: Path) -> None:
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    graph = onnx.load(tmp_path / "small.onnx").graph
    makers = {name: node for node in graph.node for name in node.output}
    sums = [node for node in graph.node if node.op_type == "Add" and makers[node.input[0]].op_type in FEATURES]
    assert len(sums) == 17  # 15 residual blocks, two between the stacks; six laterals are broadcast
    rounded = [makers[name] for node in sums for name in node.input if makers[name].op_type == "DequantizeLinear"]
    before = [makers[makers[one.input[0]].input[0]].op_type for one in rounded]
    # the second convolution of each block, and the stem's second one, whose result the first block's shortcut is
    assert before == ["Conv"] * 16
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert sum(makers[node.input[0]].op_type == "DequantizeLinear" for node in convolutions) == 32


def test_seven_bits_for_kernels(floating: Path, tmp_path: Path) -> None:
    """With eight, CPUs without VNNI overflow: Haswell was off by 5 px in 128."""
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    kernels = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load(tmp_path / "small.onnx").graph.initializer
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
    ]
    assert len(kernels) > 30
    assert max(int(np.abs(kernel.astype(int)).max()) for kernel in kernels) <= 64


def test_pixels_are_quantised_already_and_relus_join_their_convolution(floating: Path, tmp_path: Path) -> None:
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    graph = onnx.load(tmp_path / "small.onnx").graph
    (turn,) = [node for node in graph.node if "crops" in node.input]
    (pixels,) = [node for node in graph.node if turn.output[0] in node.input]
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    assert (turn.op_type, pixels.op_type) == ("Transpose", "DequantizeLinear")
    assert [constants[name].item() for name in pixels.input[1:]] == [1, 128]
    makers = {name: node.op_type for node in graph.node for name in node.output}
    assert {makers[node.input[0]] for node in graph.node if node.op_type == "Relu"} == {"Add"}


def test_normalisation_in_the_first_convolution_changes_little(floating: Path) -> None:
    """Zeros of the padding stand for 128 instead of 127.5: up to 0.004 of the range at the crop's border."""
    crops = {"crops": pictures(4, 3)}
    model = read_graph(floating)
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(["heatmaps"], crops)[0]
    assert _normalise_in_first_convolution(model.graph) == 128
    after = onnxruntime.InferenceSession(model.SerializeToString()).run(["heatmaps"], crops)[0]
    assert 0 < np.abs(after - before).max() < 0.03 * before.max()


def test_other_beginnings_are_left_alone(floating: Path) -> None:
    model = read_graph(floating)
    for one in model.graph.initializer:
        if one.name == "network.mean":
            one.CopyFrom(onnx.numpy_helper.from_array(np.float32([124, 116, 104]).reshape(1, 3, 1, 1), one.name))
    before = model.SerializeToString()
    assert _normalise_in_first_convolution(model.graph) is None
    assert model.SerializeToString() == before


def test_a_face_does_not_depend_on_its_neighbours(floating: Path, tmp_path: Path) -> None:
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    crops = pictures(5, 4)
    with OnnxEngine(tmp_path / "small.onnx") as engine:
        alone = np.concatenate([engine(crop[None]).points for crop in crops])
        np.testing.assert_allclose(engine(crops).points, alone, atol=1e-3)


def test_a_quantised_model_is_calibrated_like_any_other(floating: Path, tmp_path: Path) -> None:
    quantise(floating, list(pictures(8, 1)[:, None]), tmp_path / "small.onnx")
    honest_file = tmp_path / "honest.onnx"
    grows = np.full((68, 68), 0.5 / 68)
    within = CalibrationMap(grows, np.full(68, np.log(4.0)), 9.0, np.zeros((68, 68)), np.zeros(68))
    calibrate_onnx(tmp_path / "small.onnx", honest_file, within, score_radius=2)
    crops = pictures(3, 4)
    with OnnxEngine(tmp_path / "small.onnx") as plain, OnnxEngine(honest_file) as honest:
        before, after = plain(crops), honest(crops)
    np.testing.assert_allclose(after.points, before.points, atol=1e-3)
    spread = np.log(np.trace(before.covariance, axis1=-2, axis2=-1)).mean(axis=1)
    assert spread.max() < 9
    factors = 4 * np.exp(0.5 * spread)[:, None, None, None]
    np.testing.assert_allclose(after.covariance, factors * before.covariance, rtol=1e-3)


@pytest.mark.parametrize(("content", "what"), [(b"no model", "not an ONNX model"), (None, "no such model file")])
def test_what_is_no_model_is_named(content: bytes | None, what: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=what):
        quantise(path, [], tmp_path / "out.onnx")


def test_a_model_of_others_is_named(tmp_path: Path) -> None:
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "tiny", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(EngineError, match="expected a model of startrack export"):
        quantise(tmp_path / "other.onnx", [], tmp_path / "out.onnx")


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained detector of a few channels."""
    torch.manual_seed(0)
    network = FaceDetector(stem=(12, 12), widths=(12, 12, 16), depths=(2, 1, 1), neck=12).eval()
    with torch.no_grad():
        network.head.weight *= 20
    path = tmp_path_factory.mktemp("models") / "detector.onnx"
    export_detector(DeployedDetector(network, DETECTOR), DETECTOR, path)
    return path


def scenes(count: int, seed: int, shape: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 1, shape[0] // 8, shape[1] // 8, 3)).astype(np.uint8)
    return list(coarse.repeat(8, axis=2).repeat(8, axis=3))


def test_a_detector_finds_the_same_in_8_bits_in_pictures_of_any_shape(detector: Path, tmp_path: Path) -> None:
    assert quantise(detector, scenes(16, 1), tmp_path / "small.onnx").spec == DETECTOR
    for shape in ((64, 96), (128, 64)):
        picture = scenes(1, 2, shape)[0]
        with OnnxDetectorEngine(detector) as before, OnnxDetectorEngine(tmp_path / "small.onnx") as after:
            exact, narrow = before(picture), after(picture)
        assert np.corrcoef(exact.scores.ravel(), narrow.scores.ravel())[0, 1] > 0.95
        assert np.median(np.abs(exact.squares - narrow.squares)) < 1


def test_all_of_a_detector_but_its_head_is_in_8_bits(detector: Path, tmp_path: Path) -> None:
    quantise(detector, scenes(8, 1), tmp_path / "small.onnx")
    graph = onnx.load(tmp_path / "small.onnx").graph
    makers = {output: node for node in graph.node for output in node.output}
    kernels = [makers.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    floating = [kernel for kernel in kernels if kernel is None or kernel.op_type != "DequantizeLinear"]
    assert len(floating) == len(DETECTOR.strides)
    # the pixels are 8-bit integers already
    assert not [node for node in graph.node if node.op_type == "Cast" and node.input[0] == graph.input[0].name]
    assert not [node for node in graph.node if node.op_type == "Div"]


def test_a_detector_reads_four_pixels_as_one_and_finds_the_very_same(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantise(detector, scenes(8, 1), tmp_path / "wide.onnx")
    monkeypatch.setattr("startrack.engines.graphs.quantise.read_four_pixels", lambda graph: None)
    quantise(detector, scenes(8, 1), tmp_path / "plain.onnx")
    sizes = [
        max(tuple(one.dims) for one in onnx.load(tmp_path / name).graph.initializer if one.name.startswith("quantise."))
        for name in ("plain.onnx", "wide.onnx")
    ]
    # twelve channels out of three; twice as many out of four pixels and four before them
    assert sizes == [(12, 3, 3, 3), (24, 12, 3, 2)]
    for shape in ((64, 96), (32, 32)):
        picture = np.concatenate(scenes(2, 3, shape))
        with OnnxDetectorEngine(tmp_path / "plain.onnx") as plain, OnnxDetectorEngine(tmp_path / "wide.onnx") as wide:
            before, after = plain(picture), wide(picture)
        np.testing.assert_array_equal(after.scores, before.scores)
        np.testing.assert_array_equal(after.squares, before.squares)
        np.testing.assert_array_equal(after.eyes, before.eyes)


def test_what_is_rewritten_already_stays_as_it_is(detector: Path, tmp_path: Path) -> None:
    quantise(detector, scenes(8, 1), tmp_path / "wide.onnx")
    graph = onnx.load(tmp_path / "wide.onnx").graph
    before = graph.SerializeToString()
    read_four_pixels(graph)
    assert graph.SerializeToString() == before
