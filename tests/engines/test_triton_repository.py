from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from startrack.engines import triton_repository
from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec


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


@pytest.mark.parametrize("suffix", [".onnx", ".plan"])
def test_the_configuration_is_one_that_the_server_reads(suffix: str, tiny_spec: ModelSpec) -> None:
    """Against the server's own schema, which the gRPC part of its client carries."""
    pytest.importorskip("tritonclient")
    schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", exc_type=Exception)
    text_format = pytest.importorskip("google.protobuf.text_format")
    spec = replace(tiny_spec, name='a "quoted" é name')
    text = triton_repository.config_text(suffix, spec, 16, [4, 8], 500)
    config = text_format.Parse(text, schema.ModelConfig())
    assert config.max_batch_size == 16
    assert [(one.name, list(one.dims)) for one in config.input] == [("crops", [64, 64, 3])]
    outputs = {"points": [68, 2], "covariance": [68, 2, 2], "score": [68], "presence": [1]}
    maps = {"heatmaps": [68, 16, 16]} if suffix == ".onnx" else {}
    assert {one.name: list(one.dims) for one in config.output} == outputs | maps
    assert config.output[3].HasField("reshape")
    assert list(config.output[3].reshape.shape) == []
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 8]
    assert config.optimization.cuda.graphs == (suffix == ".plan")
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
