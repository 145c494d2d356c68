"""Exported files cast their pixels before anything else, as TensorRT needs it, and give the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from startrack.engines.base import DetectorSpec, ModelSpec
from startrack.engines.graphs import export, export_detector
from startrack.engines.graphs.fold import cast_pixels_first
from startrack.train.models.awing_hourglass import MapOutput
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.models.peak_head import CropInput, PeakLandmarks

Write = Callable[[Path], object]
BODY_SPEC = ModelSpec(
    name="tiny-body",
    scheme="coco_17",
    num_landmarks=17,
    input_size=64,
    heatmap_size=16,
    crop_scale=1.25,
    decoder="dark",
    presence=False,
)
DETECTOR_SPEC = DetectorSpec("tiny-detector", (8, 16), 64, 8, 0.5, 0.5)


class TinyBody(nn.Module):
    """Maps of a body's points from the middle columns of a crop."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 17, 5, stride=4, padding=2)

    def forward(self, planes: torch.Tensor) -> MapOutput:
        return MapOutput([self.layer(planes)])


class TinyDetector(nn.Module):
    """Three outputs of pictures of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 9, 3, stride=16, padding=1)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        maps = self.layer(pictures.permute(0, 3, 1, 2).float() / 255).flatten(2).transpose(1, 2)
        return maps[..., 0].sigmoid(), maps[..., 1:5], maps[..., 5:]


def both(write: Write, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[Path, Path]:
    """The exported file, and the same as it would be without the step."""
    first, plain = folder / "first.onnx", folder / "plain.onnx"
    before = onnx.GraphProto()

    def step(graph: onnx.GraphProto) -> None:
        before.CopyFrom(graph)
        cast_pixels_first(graph)

    monkeypatch.setattr(export, "cast_pixels_first", step)
    write(first)
    model = onnx.load(first)
    model.graph.CopyFrom(before)
    onnx.save(model, plain)
    return first, plain


def check(first: Path, plain: Path, pixels: np.ndarray) -> None:
    graphs = [onnx.load(path).graph for path in (first, plain)]
    readers = [
        {node.op_type for node in graph.node if graph.input[0].name in node.input} - {"Shape"} for graph in graphs
    ]
    assert readers[0] == {"Cast"}
    assert readers[1] != {"Cast"}, "the exporter has begun to do it itself"
    made = {name for node in graphs[0].node for name in node.output}
    assert {value.name for value in graphs[0].value_info} <= made
    assert len(graphs[0].node) == len(graphs[1].node)
    sessions = [onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (first, plain)]
    found = [session.run(None, {session.get_inputs()[0].name: pixels}) for session in sessions]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_landmarks(
    tiny_module: SoftmaxLandmarks, tiny_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write(path: Path) -> object:
        return export.export_onnx(tiny_module, tiny_spec, path, half_weights=False)

    paths = both(write, monkeypatch, tmp_path)
    check(*paths, np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))


def test_bodies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Their networks see the middle columns of a crop, cut out before the pixels are turned."""
    torch.manual_seed(2)
    network = PeakLandmarks(CropInput(TinyBody(), BODY_SPEC, width=48), BODY_SPEC).eval()

    def write(path: Path) -> object:
        return export.export_onnx(network, BODY_SPEC, path, half_weights=False)

    paths = both(write, monkeypatch, tmp_path)
    check(*paths, np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))


def test_detectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = TinyDetector().eval()

    def write(path: Path) -> object:
        return export_detector.export_detector(network, DETECTOR_SPEC, path, half_weights=False)

    paths = both(write, monkeypatch, tmp_path)
    check(*paths, np.random.default_rng(1).integers(0, 256, (2, 48, 80, 3), dtype=np.uint8))


def test_a_graph_that_computes_with_uint8_is_left_as_it_is() -> None:
    pixels = onnx.helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", 8, 8, 3])
    out = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.UINT8, ["batch", 3, 8, 8])
    nodes = [
        onnx.helper.make_node("Transpose", ["crops"], ["planes"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Max", ["planes", "planes"], ["out"]),
    ]
    graph = onnx.helper.make_graph(nodes, "uint8", [pixels], [out])
    before = graph.SerializeToString()
    cast_pixels_first(graph)
    assert graph.SerializeToString() == before
