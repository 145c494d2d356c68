"""Decoding as one product gives what engines/decode.py does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from startrack.engines.base import ModelSpec
from startrack.engines.decode import soft_argmax
from startrack.engines.graphs.decode import decode_at_once
from startrack.engines.graphs.export import export_onnx
from startrack.engines.onnx_engine import OUTPUTS
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks

SPEC = ModelSpec("maps", "ibug_68", 68, 64, 16, 1.25)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network, with heatmaps from wide ones to single cells."""
    torch.manual_seed(0)
    network = CompactHourglass(68, stem_width=8, widths=(8, 8, 8, 8), stacks=1)
    with torch.no_grad():
        network.heads[0].weight *= torch.logspace(0, 3, 68)[:, None, None, None]
    path = tmp_path_factory.mktemp("models") / "maps.onnx"
    export_onnx(SoftmaxLandmarks(network, SPEC), SPEC, path)
    return path


def run(model: onnx.ModelProto, crops: np.ndarray) -> dict[str, np.ndarray]:
    onnx.checker.check_model(model)
    names = (*OUTPUTS, "heatmaps")
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(names, {"crops": crops})
    return dict(zip(names, found, strict=True))


def test_points_covariance_and_score_are_those_of_the_reference(exported: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    model = onnx.load(exported)
    before, nodes = run(model, crops), len(model.graph.node)
    assert decode_at_once(model.graph, SPEC)
    assert len(model.graph.node) < nodes - 15
    after = run(model, crops)
    for name in ("heatmaps", "presence"):
        np.testing.assert_array_equal(after[name], before[name])
    reference = soft_argmax(before["heatmaps"], SPEC.stride)
    traces = reference.covariance.trace(axis1=-2, axis2=-1)
    assert traces.min() < 1.05 * 2 * SPEC.stride**2 / 12  # a single cell
    assert traces.max() > 50
    np.testing.assert_allclose(after["points"], reference.points, atol=1e-4)
    np.testing.assert_allclose(after["covariance"], reference.covariance, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(after["score"], reference.score * after["presence"][:, None], rtol=1e-3, atol=1e-6)


def test_maps_that_are_read_otherwise_stay(exported: Path) -> None:
    model = onnx.load(exported)
    before = model.SerializeToString()
    assert not decode_at_once(model.graph, replace(SPEC, decoder="stretched_soft_argmax"))
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.attribute[0].i = 1
            over_landmarks = model.SerializeToString()
            assert not decode_at_once(model.graph, SPEC)
            assert model.SerializeToString() == over_landmarks
            node.op_type = "Sigmoid"
            del node.attribute[:]
    without = model.SerializeToString()
    assert not decode_at_once(model.graph, SPEC)
    assert model.SerializeToString() == without != before
