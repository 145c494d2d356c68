from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from startrack.engines import load_engine, triton_repository
from startrack.engines.base import EngineError, ModelSpec
from startrack.engines.triton_answer import BoundedAnswer
from tests.engines.triton_server import TritonServer, serve

FIELDS = ("points", "covariance", "score", "presence", "heatmaps")


@pytest.fixture(scope="module")
def repository(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tritonclient.http", exc_type=Exception)
    folder = tmp_path_factory.mktemp("models")
    triton_repository.write(tiny_onnx, folder, max_batch=3)
    return folder


@pytest.fixture
def server(repository: Path) -> Iterator[TritonServer]:
    with serve(repository) as server:
        yield server


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)


def test_landmarks_come_back_as_from_the_file(
    server: TritonServer, tiny_onnx: Path, tiny_spec: ModelSpec, crops: np.ndarray
) -> None:
    with load_engine(tiny_onnx) as local, load_engine(server.url("tiny")) as remote:
        assert remote.spec == tiny_spec
        expected, got = local(crops, heatmaps=True), remote(crops, heatmaps=True)
        for field in FIELDS:
            np.testing.assert_allclose(getattr(got, field), getattr(expected, field), atol=1e-4, err_msg=field)
        assert server.models["tiny"].batches == [3, 3, 1]
        # every second row: not contiguous
        np.testing.assert_allclose(remote(crops[::2]).points, expected.points[::2], atol=1e-4)
        assert remote(crops).heatmaps is None
        assert remote(crops[:0]).points.shape == (0, 68, 2)
        with pytest.raises(EngineError, match="crops are float64"):
            remote(crops.astype(float))


def test_any_thread_may_ask(server: TritonServer, tiny_onnx: Path, crops: np.ndarray) -> None:
    """The tracker of a recording runs in another thread than its sinks."""
    with load_engine(tiny_onnx) as local, load_engine(server.url("tiny")) as remote, ThreadPoolExecutor(2) as threads:
        here = remote(crops[:1])
        for found in (here, *threads.map(remote, [crops[:1]] * 4)):
            np.testing.assert_allclose(found.points, local(crops[:1]).points, atol=1e-4)


def test_a_closed_engine_is_refused(server: TritonServer, crops: np.ndarray) -> None:
    engine = load_engine(server.url("tiny"))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="tiny: the engine is closed"):
        engine(crops)


def test_a_model_without_heatmaps_says_so(server: TritonServer, crops: np.ndarray) -> None:
    outputs = server.models["tiny"].config["output"]
    outputs.remove({"name": "heatmaps"})
    with load_engine(server.url("tiny")) as engine:
        assert engine(crops).points.shape == (7, 68, 2)
        with pytest.raises(EngineError, match="gives no heatmaps"):
            engine(crops, heatmaps=True)


@pytest.mark.parametrize(
    "url", ["triton://here/tiny", "triton://here:80", "triton://here:x/tiny", "http://here:80/tiny", "triton://:80/a/b"]
)
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(EngineError, match=r"expected triton://HOST:PORT/MODEL") as caught:
        load_engine(url)
    assert url in str(caught.value)


def test_no_server_and_no_model_are_named(server: TritonServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(EngineError, match=rf"triton://127\.0\.0\.1:{port}/tiny: .* Connection refused"):
            load_engine(f"triton://127.0.0.1:{port}/tiny")
    with pytest.raises(EngineError, match=r"other: the server does not answer as expected: .*'other' is not found"):
        load_engine(server.url("other"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {}}, "no 'startrack' parameter; expected a repository of build-engine --triton"),
        ({"parameters": {"startrack": {"string_value": "{}"}}}, "not a startrack model specification"),
        ({"max_batch_size": 0}, "batch 0"),
        ({"max_batch_size": "many"}, "no 'startrack' parameter"),
        ({"output": [{"name": "points"}]}, r"missing outputs \['covariance', 'presence', 'score'\]"),
    ],
)
def test_another_model_on_the_server_is_refused(server: TritonServer, change: dict[str, object], message: str) -> None:
    server.models["tiny"].config |= change
    with pytest.raises(EngineError, match=message) as caught:
        load_engine(server.url("tiny"))
    assert server.url("tiny") in str(caught.value)


# the client leaves the socket of an answer that it could not read to the garbage collector
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket object")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body, length: (body[: length + 100], length), "points is "),
        (lambda body, length: (body.replace(b"FP32", b"FP64"), length), "points is "),
        (lambda body, length: (body.replace(b"[2, 68, 2]", b"[2, 2, 68]"), length), "points is float32"),
        (lambda body, length: (body.replace(b'"score"', b'"other"'), length), "score is nothing"),
        (lambda body, length: (b"no JSON" + body, length), "does not answer as expected"),
        (lambda body, length: (b"{}", 2), "does not answer as expected"),
        (lambda body, length: (b"[]", 2), "does not answer as expected"),
        (lambda body, length: (b"[" * 100_000, 100_000), "does not answer as expected"),
        (lambda body, length: (b'{"outputs": 5}', 14), "does not answer as expected"),
        (lambda body, length: (b'{"outputs": []}', 15), "points is nothing"),
        (lambda body, length: (body.replace(b"[2, 68, 2]", b"[9999999999,2]"), length + 4), "points is "),
        (lambda body, length: (body + bytes(50_000_000), length), "an answer of more than"),
    ],
)
def test_a_wrong_answer_is_named(server: TritonServer, change: object, message: str, crops: np.ndarray) -> None:
    server.change = change  # type: ignore[assignment]
    with load_engine(server.url("tiny")) as engine:
        with pytest.raises(EngineError, match=message) as caught:
            engine(crops[:2])
        assert server.url("tiny") in str(caught.value)
        assert "\n" not in str(caught.value)
        server.change = lambda body, length: (body, length)
        assert engine(crops[:2]).points.shape == (2, 68, 2)


def test_the_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient", None)
    with pytest.raises(EngineError, match=r"pip install 'startrack\[triton\]'"):
        load_engine("triton://here:80/tiny")


class Compressed:
    """An answer of the HTTP library that unfolds to any size."""

    status_code = 200

    def get(self, name: str, default: object = None) -> object:
        return "gzip" if name == "Content-Encoding" else default

    def read(self, length: int | None = None) -> bytes:
        raise AssertionError("read without a limit")


class Endless(Compressed):
    def get(self, name: str, default: object = None) -> object:
        return default

    def read(self, length: int | None = None) -> bytes:
        return bytes(length or 1)


def test_answers_are_bounded() -> None:
    with pytest.raises(ValueError, match="an answer in 'gzip'; expected none that is compressed"):
        BoundedAnswer(Compressed(), 1000)
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        BoundedAnswer(Endless(), 1_000_000)
