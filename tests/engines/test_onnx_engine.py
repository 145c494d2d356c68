from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from startrack.engines import load_detector, load_engine, load_eyes
from startrack.engines.base import SPEC_KEY, DetectorSpec, EngineError, EyeSpec, ModelSpec
from startrack.engines.decode import soft_argmax
from startrack.engines.graphs.export import export_onnx
from startrack.engines.sidecar import read_sidecar
from startrack.engines.torch_engine import TorchEngine
from startrack.engines.zoo import zoo_models
from startrack.train.models.landmark_head import SoftmaxLandmarks

FIELDS = ("points", "covariance", "score", "presence", "heatmaps")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def test_exported_file_gives_what_the_network_gives(
    tiny_onnx: Path, tiny_module: SoftmaxLandmarks, tiny_spec: ModelSpec, crops: np.ndarray
) -> None:
    with load_engine(tiny_onnx) as engine, TorchEngine(tiny_module, tiny_spec) as reference:
        assert engine.spec == tiny_spec
        got, expected = engine(crops, heatmaps=True), reference(crops, heatmaps=True)
        for field in FIELDS:
            np.testing.assert_allclose(getattr(got, field), getattr(expected, field), atol=2e-3, err_msg=field)
        assert engine(crops).heatmaps is None


def test_graph_decodes_like_the_reference_decoder(tiny_onnx: Path, crops: np.ndarray) -> None:
    with load_engine(tiny_onnx) as engine:
        batch = engine(crops, heatmaps=True)
        assert batch.heatmaps is not None
        decoded = soft_argmax(batch.heatmaps, engine.spec.stride)
    np.testing.assert_allclose(batch.points, decoded.points, atol=1e-3)
    np.testing.assert_allclose(batch.covariance, decoded.covariance, atol=2e-3)
    np.testing.assert_allclose(batch.score, decoded.score * batch.presence[:, None], atol=1e-5)


def test_batch_size_does_not_change_a_face(tiny_onnx: Path, crops: np.ndarray) -> None:
    with load_engine(tiny_onnx, threads=2) as engine:
        together = engine(crops)
        for index in range(len(crops)):
            alone = engine(crops[index : index + 1])
            np.testing.assert_allclose(alone.points[0], together.points[index], atol=1e-3)
        nothing = engine(crops[:0], heatmaps=True)
    assert nothing.points.shape == (0, 68, 2)
    assert nothing.heatmaps is not None
    assert nothing.heatmaps.shape == (0, 68, 16, 16)


def test_half_weights_halve_the_file_and_hardly_move_a_point(
    tiny_onnx: Path, tiny_module: SoftmaxLandmarks, tiny_spec: ModelSpec, crops: np.ndarray, tmp_path: Path
) -> None:
    half = tmp_path / "half.onnx"
    sidecar = export_onnx(tiny_module, tiny_spec, half)
    assert sidecar == read_sidecar(half)
    with load_engine(half) as small, load_engine(tiny_onnx) as full:
        np.testing.assert_allclose(small(crops).points, full(crops).points, atol=0.1)
    assert half.stat().st_size < 0.75 * tiny_onnx.stat().st_size


def test_model_file_holds_no_trace_of_the_exporting_machine(tiny_onnx: Path) -> None:
    content = tiny_onnx.read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content


def _broken(path: Path, tiny_onnx: Path, kind: str) -> Path:
    model = path / "broken.onnx"
    match kind:
        case "empty":
            model.write_bytes(b"")
        case "text":
            model.write_text("not a model\n" * 50)
        case "truncated":
            model.write_bytes(tiny_onnx.read_bytes()[: tiny_onnx.stat().st_size // 2])
        case "changed":
            content = bytearray(tiny_onnx.read_bytes())
            content[len(content) // 2] ^= 0xFF
            model.write_bytes(bytes(content))
            shutil.copy(tiny_onnx.with_suffix(".json"), model.with_suffix(".json"))
        case "no spec" | "bad spec":
            proto = onnx.load(tiny_onnx)
            del proto.metadata_props[:]
            if kind == "bad spec":
                entry = proto.metadata_props.add()
                entry.key, entry.value = SPEC_KEY, "{}"
            onnx.save(proto, model)
        case "suffix":
            model = model.with_suffix(".bin")
            model.write_bytes(b"1234")
        case "sidecar":
            shutil.copy(tiny_onnx, model)
            model.with_suffix(".json").write_text('{"sha256": 3}')
    return model


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such model file"),
        ("empty", "not an ONNX model"),
        ("text", "not an ONNX model"),
        ("truncated", "not an ONNX model"),
        ("changed", "damaged or exchanged"),
        ("no spec", "expected a model of startrack export"),
        ("bad spec", "not a startrack model specification"),
        ("suffix", r"no engine runs '\.bin'"),
        ("sidecar", "not a model's sidecar"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(kind: str, message: str, tiny_onnx: Path, tmp_path: Path) -> None:
    model = _broken(tmp_path, tiny_onnx, kind)
    with pytest.raises(EngineError, match=message) as caught:
        load_engine(model)
    assert "broken" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closed_engine_of_a_live_network_is_refused(
    tiny_module: SoftmaxLandmarks, tiny_spec: ModelSpec, crops: np.ndarray
) -> None:
    with TorchEngine(tiny_module, tiny_spec) as engine:
        engine(crops)
    with pytest.raises(EngineError, match="tiny: the engine is closed"):
        engine(crops)


def test_closed_engine_and_wrong_arguments_are_refused(tiny_onnx: Path, crops: np.ndarray) -> None:
    engine = load_engine(tiny_onnx)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine(crops)
    with pytest.raises(EngineError, match="0 threads"):
        load_engine(tiny_onnx, threads=0)
    with pytest.raises(EngineError, match="'tpu'"):
        load_engine(tiny_onnx, device="tpu")


def test_no_more_threads_are_started_than_there_are_cores(tiny_onnx: Path, crops: np.ndarray) -> None:
    """Each has memory of its own: 30,000 took two gigabytes and minutes."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("no /proc here")
    with load_engine(tiny_onnx, threads=100_000) as engine:
        engine(crops)
        threads = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("Threads"))
    assert threads < 1000


@pytest.mark.parametrize("path", zoo_models(), ids=lambda path: path.stem)
def test_shipped_models_load_and_have_card_and_sidecar(path: Path) -> None:
    sidecar = read_sidecar(path)
    assert sidecar is not None
    assert path.with_suffix(".md").is_file()
    assert path.stat().st_size < 30e6
    if isinstance(sidecar.spec, EyeSpec):
        with load_eyes(path) as eyes:
            assert eyes.spec == sidecar.spec
            seen = eyes(np.zeros((2, eyes.spec.input_height, eyes.spec.input_width, 3), np.uint8))
            assert np.isfinite(seen.lids).all()
            assert (seen.iris_visible < 0.5).all(), "in a black picture no iris can be seen"
        return
    if isinstance(sidecar.spec, DetectorSpec):
        with load_detector(path) as detector:
            assert detector.spec == sidecar.spec
            found = detector(np.zeros((1, 192, 320, 3), np.uint8))
            assert (found.scores < detector.spec.min_score).all(), "a black picture holds no face"
        return
    with load_engine(path) as engine:
        assert engine.spec == sidecar.spec
        size = engine.spec.input_size
        batch = engine(np.zeros((2, size, size, 3), np.uint8))
        assert np.isfinite(batch.points).all()
        assert (batch.presence < 0.5).all(), "a black picture is no face"
