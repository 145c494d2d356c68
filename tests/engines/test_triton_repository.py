from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from startrack.engines import load_engine, triton_repository
from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.plans.facts import PlanFacts
from startrack.engines.sidecar import write_sidecar
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path


def test_the_repository_holds_the_model_and_what_the_server_must_know(
    tiny_onnx: Path, tiny_spec: ModelSpec, tmp_path: Path
) -> None:
    version = triton_repository.write(tiny_onnx, tmp_path / "models", max_batch=6)
    assert version == tmp_path / "models" / "tiny" / "1"
    assert [path.name for path in version.iterdir()] == ["model.onnx"]
    assert (version / "model.onnx").read_bytes() == tiny_onnx.read_bytes()
    config = (version.parent / "config.pbtxt").read_text()
    assert 'name: "tiny"\nbackend: "onnxruntime"\nmax_batch_size: 6\n' in config
    assert "preferred_batch_size: [4] max_queue_delay_microseconds: 1000" in config
    assert 'name: "crops" data_type: TYPE_UINT8 dims: [ 64, 64, 3 ]' in config
    assert "KIND_AUTO" in config
    assert "graphs" not in config


def test_a_plan_runs_on_the_gpu_with_its_graphs(tiny_spec: ModelSpec, tmp_path: Path) -> None:
    plan = tmp_path / "tiny.plan"
    plan.write_bytes(b"plan")
    version = triton_repository.write(plan, tmp_path / "models", spec=replace(tiny_spec, name="tiny é/2"))
    assert version == tmp_path / "models" / "tiny___2" / "1"
    config = (version.parent / "config.pbtxt").read_text()
    assert 'platform: "tensorrt_plan"' in config
    assert "kind: KIND_GPU" in config
    assert "optimization { cuda { graphs: true } }" in config
    assert (version / "model.plan").read_bytes() == b"plan"


def test_a_second_model_is_the_next_version(tiny_onnx: Path, tmp_path: Path) -> None:
    first = triton_repository.write(tiny_onnx, tmp_path)
    (first.parent / "notes").mkdir()
    second = triton_repository.write(tiny_onnx, tmp_path, max_delay_us=0)
    assert (first.name, second.name) == ("1", "2")
    assert {path.name for path in first.parent.iterdir()} == {"1", "2", "notes", "config.pbtxt"}
    assert "max_queue_delay_microseconds: 0" in (first.parent / "config.pbtxt").read_text()


@pytest.mark.parametrize("backend", ["onnxruntime", "python", "tensorrt"])
def test_the_configuration_is_one_that_the_server_reads(
    backend: triton_repository.Backend, tiny_spec: ModelSpec
) -> None:
    """Against the server's own schema, which the gRPC part of its client carries."""
    pytest.importorskip("tritonclient")
    schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", exc_type=Exception)
    text_format = pytest.importorskip("google.protobuf.text_format")
    spec = replace(tiny_spec, name='a "quoted" é name')
    text = triton_repository.config_text(backend, spec, 16, triton_repository.Batching([4, 8], 500))
    config = text_format.Parse(text, schema.ModelConfig())
    assert config.max_batch_size == 16
    assert [(one.name, list(one.dims)) for one in config.input] == [("crops", [64, 64, 3])]
    outputs = {"points": [68, 2], "covariance": [68, 2, 2], "score": [68], "presence": [1]}
    maps = {"heatmaps": [68, 16, 16]} if backend != "tensorrt" else {}
    assert {one.name: list(one.dims) for one in config.output} == outputs | maps
    assert config.output[3].HasField("reshape")
    assert list(config.output[3].reshape.shape) == []
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 8]
    assert config.optimization.cuda.graphs == (backend == "tensorrt")
    assert ModelSpec.from_json(config.parameters[SPEC_KEY].string_value, "config.pbtxt") == spec


def test_what_no_server_can_run_is_refused(tiny_onnx: Path, tiny_spec: ModelSpec, tmp_path: Path) -> None:
    other, bare = tmp_path / "model.pt", tmp_path / "bare.onnx"
    for path in (other, bare):
        path.write_bytes(b"model")
    with pytest.raises(EngineError, match=r"no Triton backend for '\.pt'; expected \.plan or \.onnx"):
        triton_repository.write(other, tmp_path / "models")
    with pytest.raises(EngineError, match=r"bare\.onnx: no landmark model's specification beside it"):
        triton_repository.write(bare, tmp_path / "models")
    with pytest.raises(EngineError, match="no such model file"):
        triton_repository.write(tmp_path / "missing.onnx", tmp_path / "models")
    with pytest.raises(EngineError, match="batch 0, delay 1000 µs; expected at least 1 and 0"):
        triton_repository.write(tiny_onnx, tmp_path / "models", max_batch=0)
    with pytest.raises(EngineError, match="no repository can be written there"):
        triton_repository.write(tiny_onnx, other, spec=tiny_spec)
    assert not (tmp_path / "models").exists()


def test_the_python_backend_runs_the_model_with_a_file_of_ours(
    tiny_onnx: Path, tiny_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """model.py as the server calls it: two requests in one run, each with the outputs that it asked for."""
    version = triton_repository.write(tiny_onnx, tmp_path, backend="python")
    assert sorted(path.name for path in version.iterdir()) == ["model.onnx", "model.py"]
    assert 'backend: "python"' in (version.parent / "config.pbtxt").read_text()
    assert "startrack" not in [
        line.split()[1] for line in (version / "model.py").read_text().splitlines() if "import" in line
    ]
    server = ModuleType("triton_python_backend_utils")
    server.get_input_tensor_by_name = lambda request, name: request.tensors[name]  # type: ignore[attr-defined]
    server.Tensor = lambda name, values: (name, values)  # type: ignore[attr-defined]
    server.InferenceResponse = lambda output_tensors: dict(output_tensors)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", server)
    scope: dict[str, Any] = {"__name__": "model"}
    exec((version / "model.py").read_text(), scope)
    config = {"output": [{"name": name} for name in ("points", "covariance", "score", "presence", "heatmaps")]}
    model = scope["TritonPythonModel"]()
    model.initialize(
        {
            "model_config": json.dumps(config),
            "model_repository": str(version.parent),
            "model_version": "1",
            "model_instance_kind": "CPU",
        }
    )
    crops = np.random.default_rng(4).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    first, second = model.execute([Request(crops[:2], ["points"]), Request(crops[2:], ["score", "presence"])])
    with load_engine(tiny_onnx) as engine:
        local = engine(crops)
    assert (first.keys(), second.keys()) == ({"points"}, {"score", "presence"})
    np.testing.assert_array_equal(first["points"], local.points[:2])
    np.testing.assert_array_equal(second["score"], local.score[2:])
    assert second["presence"].shape == (1,)


class Request:
    """Of the server's: crops, and the names of the outputs asked for."""

    def __init__(self, crops: np.ndarray, outputs: list[str]) -> None:
        self.tensors = {"crops": SimpleNamespace(as_numpy=lambda: crops)}
        self._outputs = outputs

    def requested_output_names(self) -> list[str]:
        return self._outputs


def test_what_a_backend_does_not_run(tiny_onnx: Path, tiny_spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"tiny\.onnx: Triton's tensorrt backend does not run it; expected \.plan"):
        triton_repository.write(tiny_onnx, tmp_path / "models", backend="tensorrt")
    plan = tmp_path / "tiny.plan"
    plan.write_bytes(b"plan")
    with pytest.raises(EngineError, match=r"Triton's python backend does not run it; expected \.onnx"):
        triton_repository.write(plan, tmp_path / "models", backend="python", spec=tiny_spec)
    facts = PlanFacts(
        *("tensorrt-rtx", "1.7.1.116", "none", "none", "none", ("8.6",), 0, "no", "half", 1, 4, 16),
        *("tiny.onnx", "0" * 64, "2026-01-01T00:00:00+00:00", "0.1.0", "not measured"),
    )
    write_sidecar(plan, tiny_spec, facts)
    with pytest.raises(EngineError, match="a server runs no plan of TensorRT for RTX; expected one of TensorRT"):
        triton_repository.write(plan, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_without_dynamic_batching(tiny_onnx: Path, tmp_path: Path) -> None:
    version = triton_repository.write(tiny_onnx, tmp_path, dynamic_batching=False)
    assert "dynamic_batching" not in (version.parent / "config.pbtxt").read_text()


def test_a_calibrated_model_offers_its_visibility(tiny_onnx: Path, tmp_path: Path) -> None:
    for model, offered in {zoo_path(DEFAULT_LANDMARKS): True, tiny_onnx: False}.items():
        version = triton_repository.write(model, tmp_path)
        assert ('name: "visibility"' in (version.parent / "config.pbtxt").read_text()) == offered
