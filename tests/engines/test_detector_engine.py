"""A tiny detector, exported once and run by ONNX Runtime and torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.engines import load_detector, load_engine
from startrack.engines.base import SPEC_KEY, DetectorSpec, EngineError, ModelSpec, parse_spec
from startrack.engines.graphs.export_detector import export_detector
from startrack.engines.sidecar import read_sidecar
from startrack.train.models.face_detector import DeployedDetector, FaceDetector

SPEC = DetectorSpec("tiny", strides=(8, 16, 32), input_size=64, smallest_face=16, min_score=0.5, max_overlap=0.4)


@pytest.fixture(scope="module")
def module() -> DeployedDetector:
    torch.manual_seed(7)
    network = FaceDetector(stem=(4, 8), widths=(8, 8, 8), depths=(1, 1, 1), neck=8)
    torch.nn.init.normal_(network.head.weight, std=0.2)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # folded norms must matter
            torch.nn.init.uniform_(layer.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return DeployedDetector(network, SPEC).eval()


@pytest.fixture(scope="module")
def path(module: DeployedDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_detector(module, SPEC, path, half_weights=False)
    return path


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 192, 320), (3, 96, 64)])
def test_onnx_agrees_with_torch_at_any_size(path: Path, module: DeployedDetector, shape: tuple[int, int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    engine = load_detector(path)
    found = engine(pictures)
    with torch.inference_mode():
        expected = module(torch.from_numpy(pictures))
    for value, reference in zip((found.scores, found.squares, found.eyes), expected, strict=True):
        assert np.allclose(value, reference.numpy(), rtol=1e-3, atol=1e-3)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine(pictures)


def test_the_file_tells_what_it_is(path: Path, tmp_path: Path) -> None:
    sidecar = read_sidecar(path)
    assert sidecar is not None
    assert sidecar.spec == SPEC
    assert load_detector(path).spec == SPEC
    with pytest.raises(EngineError, match=r"tiny\.onnx"):
        load_engine(path)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(path.read_bytes()[:-5] + b"wrong")
    copy.with_suffix(".json").write_text(path.with_suffix(".json").read_text())
    with pytest.raises(EngineError, match="damaged or exchanged"):
        load_detector(copy)
    for name in ("missing.onnx", "model.plan"):
        if name.endswith("plan"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(EngineError, match=name):
            load_detector(tmp_path / name)


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((1, 32, 33, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), np.zeros((1, 32, 32, 3), np.float32)],
)
def test_other_pictures_are_refused(path: Path, pictures: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"tiny: pictures are .* expected uint8 \(B, H, W, 3\), multiples of 32"):
        load_detector(path)(pictures)


def test_a_landmark_model_is_no_detector(tiny_onnx: Path) -> None:
    with pytest.raises(EngineError, match="not a startrack detector specification"):
        load_detector(tiny_onnx)


def test_specs_round_trip(tiny_spec: ModelSpec) -> None:
    assert parse_spec(SPEC.to_json(), "here") == SPEC
    assert parse_spec(tiny_spec.to_json(), "here") == tiny_spec
    for text in ("[]", "{", '{"kind": "face_detector"}', "{}"):
        with pytest.raises(EngineError, match="here: not a startrack"):
            parse_spec(text, "here")
    for change in ({"strides": [16, 8]}, {"input_size": 100}, {"min_score": 2}, {"max_overlap": 0}):
        with pytest.raises(EngineError, match="tiny"):
            DetectorSpec.from_json(json.dumps(json.loads(SPEC.to_json()) | change), "here")
    assert SPEC_KEY == "startrack"
