"""A tiny eye model, exported once and run by ONNX Runtime and torch; the fake one keeps to the same contract."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.engines import load_engine, load_eyes
from startrack.engines.base import EngineError, EyeSpec, parse_spec
from startrack.engines.eyes import EyeBatch, EyeEngine
from startrack.engines.fake_eye_engine import FakeEyeEngine, open_eyes
from startrack.engines.graphs.export_eyes import export_eyes
from startrack.engines.graphs.quantise import quantise
from startrack.engines.sidecar import read_sidecar
from startrack.train.models.eye_net import DeployedEyes, EyeNet

SPEC = EyeSpec("tiny", input_width=32, input_height=16, crop_scale=1.8, least_corners=0.2)


@pytest.fixture(scope="module")
def module() -> DeployedEyes:
    torch.manual_seed(7)
    network = EyeNet(32, 16, stem=4, widths=(8, 12, 8), inner=6, hidden=8)
    torch.nn.init.normal_(network.last.weight, std=0.3)
    torch.nn.init.normal_(network.head.weight, std=1.0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # folded norms must matter
            torch.nn.init.uniform_(layer.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return DeployedEyes(network).eval()


@pytest.fixture(scope="module")
def path(module: DeployedEyes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_eyes(module, SPEC, path, half_weights=False)
    return path


def crops(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(count).integers(0, 256, (count, 16, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_onnx_agrees_with_torch(path: Path, module: DeployedEyes, count: int) -> None:
    with load_eyes(path) as engine:
        found = engine(crops(count))
    with torch.inference_mode():
        expected = module(torch.from_numpy(crops(count)))
    for field in fields(EyeBatch):
        value, reference = getattr(found, field.name), getattr(expected, field.name).numpy()
        assert np.allclose(value, reference, rtol=1e-3, atol=1e-3), field.name
    assert np.allclose(np.linalg.norm(found.gaze, axis=1), 1, atol=1e-5)
    assert (np.linalg.eigvalsh(found.lid_covariance) > 0).all()


def test_the_file_says_what_it_is(path: Path) -> None:
    sidecar = read_sidecar(path)
    assert sidecar is not None
    assert sidecar.spec == SPEC
    with load_eyes(path) as engine:
        assert engine.spec == SPEC
    with pytest.raises(EngineError, match=r"tiny\.onnx"):
        load_engine(path)


def test_eight_bits_change_little(path: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.onnx"
    assert quantise(path, [crops(2 + number)[:1] for number in range(8)], narrow).spec == SPEC
    with load_eyes(path) as wide, load_eyes(narrow) as engine:
        before, after = wide(crops(4)), engine(crops(4))
    assert np.abs(before.lids - after.lids).max() < 1.0
    assert np.abs(before.openness - after.openness).max() < 0.2


@pytest.mark.parametrize("kind", ["onnx", "fake"])
def test_every_engine_keeps_the_contract(path: Path, kind: str) -> None:
    engine: EyeEngine
    engine = load_eyes(path) if kind == "onnx" else FakeEyeEngine(SPEC, lambda given: open_eyes(SPEC, len(given)))
    shapes = {"lids": (6, 2), "lid_covariance": (6, 2, 2), "iris": (2,), "iris_covariance": (2, 2), "gaze": (3,)}
    for count in (0, 3):
        batch = engine(crops(count))
        for field in fields(EyeBatch):
            assert getattr(batch, field.name).shape == (count, *shapes.get(field.name, ())), field.name
            assert getattr(batch, field.name).dtype == np.float32
    with pytest.raises(EngineError, match="expected uint8"):
        engine(crops(1)[:, :8])
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine(crops(1))


@pytest.mark.parametrize(
    "wrong", [{"input_width": 0}, {"crop_scale": float("nan")}, {"least_corners": 2}, {"lid_bias": (1.0,)}]
)
def test_a_specification_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EngineError, match=next(iter(wrong))):
        replace(SPEC, **wrong)  # type: ignore[arg-type]


def test_a_specification_survives_json() -> None:
    spec = replace(SPEC, lid_bias=tuple(float(number) for number in range(12)))
    assert parse_spec(spec.to_json(), "memory") == spec
    with pytest.raises(EngineError, match="eye model specification"):
        EyeSpec.from_json('{"kind": "eyes"}', "memory")
