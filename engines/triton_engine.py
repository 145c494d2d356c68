"""A landmark model on NVIDIA's Triton Inference Server, over HTTP: for more faces than one machine can read.

The server offers what engines/triton_repository.py has written. gRPC is left out: its client needs protobuf below 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from startrack.engines.base import (
    SPEC_KEY,
    CropArray,
    Engine,
    EngineError,
    FloatArray,
    LandmarkBatch,
    ModelSpec,
    check_crops,
)
from startrack.engines.triton_answer import LARGEST_CONFIG, bounded
from startrack.errors import install_line
from startrack.outside import reason, shown

OUTPUTS = ("points", "covariance", "score", "presence")
FURTHER = ("heatmaps", "visibility")
"""Outputs that a model may have."""
MOST_FACES = 4096
"""In one request."""
NO_ANSWER = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, RuntimeError)
"""What an answer that is no JSON, or not the expected JSON, raises in the client and here."""
CONNECT_S, ANSWER_S = 5.0, 30.0
"""Seconds to wait for the server, and for its answer, in which it may first load the model."""


class TritonEngine(Engine):
    """Sends crops to a server and returns its landmarks; as fast as the network lets 49 to 200 kB a face through."""

    def __init__(self, url: str) -> None:
        """url: triton://HOST:PORT/MODEL. Raises EngineError if there is no such server or model, or the model is not
        from a repository of ours."""
        self._host, self._model = _parts(url)
        self._url = url
        http, self._errors = _client_library()
        self._http = http
        # the client's connections work in the thread that opened them alone, and the engine is called from any
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="triton")
        self._largest = LARGEST_CONFIG
        self._client: Any | None = self._thread.submit(self._connect).result()
        try:
            config = self._request(lambda client: client.get_model_config(self._model))
            self._spec, self._max_batch, self._further = _read_config(url, config)
            self._shapes = _output_shapes(self._spec)
            numbers = self._max_batch * sum(math.prod(shape) for shape in self._shapes.values())
            # 4 bytes each, or its digits in JSON
            self._largest = LARGEST_CONFIG + 32 * numbers
        except BaseException:
            self.close()
            raise

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine; a plan on the server has no heatmaps, which is an EngineError."""
        check_crops(self._spec, crops)
        if heatmaps and "heatmaps" not in self._further:
            raise EngineError(f"{self._url}: this model gives no heatmaps; expected an ONNX model on the server")
        names = (*OUTPUTS, *(name for name in self._further if heatmaps or name != "heatmaps"))
        outputs = {name: np.empty((len(crops), *self._shapes[name]), np.float32) for name in names}
        for start in range(0, len(crops), self._max_batch):
            part = slice(start, start + self._max_batch)
            for name, values in self._infer(crops[part], names).items():
                outputs[name][part] = values
        return LandmarkBatch(**outputs)

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._thread.submit(self._client.close).result()
            self._thread.shutdown()
            self._client = None

    def _infer(self, crops: CropArray, names: tuple[str, ...]) -> dict[str, FloatArray]:
        given = self._http.InferInput("crops", list(crops.shape), "UINT8")
        given.set_data_from_numpy(np.ascontiguousarray(crops), binary_data=True)
        wanted = [self._http.InferRequestedOutput(name, binary_data=True) for name in names]
        answer = self._request(lambda client: client.infer(self._model, [given], outputs=wanted))
        return {name: self._read(answer, name, len(crops)) for name in names}

    def _read(self, answer: Any, name: str, count: int) -> FloatArray:
        """One output as this model must have it: a server's answers are not trusted."""
        shape = (count, *self._shapes[name])
        try:
            # before the client allocates that much; the repository declares presence as (B, 1)
            stated = answer.get_output(name)
            kind, sides = (stated["datatype"], tuple(stated["shape"])) if stated else (None, ())
            if kind != "FP32" or sides not in (shape, (*shape, 1)):
                named = "float32" if kind == "FP32" else shown(kind)
                received = f"{named} {shown(sides)}" if stated else "nothing"
                raise EngineError(f"{self._url}: {name} is {received}; expected float32 {shape}")
            values = answer.as_numpy(name)
            array: FloatArray = np.asarray(values, np.float32).reshape(shape)
        except NO_ANSWER as error:
            raise EngineError(f"{self._url}: {name} is not what the answer says: {reason(error)}") from error
        return array

    def _connect(self) -> Any:
        client = self._http.InferenceServerClient(self._host, connection_timeout=CONNECT_S, network_timeout=ANSWER_S)
        stub = client._client_stub  # the client has no limits of its own
        stub.get, stub.post = (bounded(request, lambda: self._largest) for request in (stub.get, stub.post))
        return client

    def _request(self, question: Callable[[Any], Any]) -> Any:
        if self._client is None:
            raise EngineError(f"{self._url}: the engine is closed")
        try:
            return self._thread.submit(question, self._client).result()
        except self._errors as error:
            # after an answer that it could not read, the client waits forever for its own connection
            self._thread.submit(self._client.close).result()
            self._client = self._thread.submit(self._connect).result()
            raise EngineError(f"{self._url}: the server does not answer as expected: {reason(error)}") from error


def _parts(url: str) -> tuple[str, str]:
    """Host with port, and the model's name. Raises EngineError for any other address."""
    try:
        parts = urlsplit(url)
        model = parts.path.strip("/")
        if parts.scheme == "triton" and parts.hostname and parts.port and model and "/" not in model:
            return parts.netloc, model
    except ValueError:  # a port that is none
        pass
    raise EngineError(f"{url}: not the address of a model on a server; expected triton://HOST:PORT/MODEL")


def _client_library() -> tuple[Any, tuple[type[Exception], ...]]:
    """tritonclient.http, and the errors that it may raise. Raises EngineError if it is not installed."""
    try:
        import tritonclient.http as http
        from geventhttpclient.response import HTTPParseError
        from tritonclient.utils import InferenceServerException
    except (ImportError, RuntimeError) as error:  # it raises the second where its extra http is missing
        raise EngineError(f"tritonclient is not installed; expected: {install_line('triton')}") from error
    return http, (InferenceServerException, HTTPParseError, *NO_ANSWER)


def _read_config(url: str, config: Any) -> tuple[ModelSpec, int, tuple[str, ...]]:
    """Specification, faces in one request, and which of FURTHER there are."""
    try:
        text = config["parameters"][SPEC_KEY]["string_value"]
        max_batch = int(config["max_batch_size"])
        offered = {str(entry["name"]) for entry in config["output"]}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise EngineError(
            f"{url}: no {SPEC_KEY!r} parameter; expected a repository of build-engine --triton"
        ) from error
    missing = set(OUTPUTS) - offered
    if not 1 <= max_batch <= MOST_FACES or missing:
        raise EngineError(f"{url}: batch {max_batch}, missing outputs {sorted(missing)}; expected {', '.join(OUTPUTS)}")
    return ModelSpec.from_json(str(text), url), max_batch, tuple(name for name in FURTHER if name in offered)


def _output_shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Of one face."""
    landmarks, cells = spec.num_landmarks, spec.heatmap_size
    shapes = ((landmarks, 2), (landmarks, 2, 2), (landmarks,), (), (landmarks, cells, cells), (landmarks,))
    return dict(zip((*OUTPUTS, *FURTHER), shapes, strict=True))
