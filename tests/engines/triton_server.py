"""The part of Triton Inference Server that a landmark engine meets, in this process.

The v2 protocol over HTTP with its binary tensor extension, models from a repository folder, run by ONNX Runtime.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

HEADER = "Inference-Header-Content-Length"
Tensors = dict[str, np.ndarray]


class RepositoryModel:
    """The newest version of a model in a repository."""

    def __init__(self, home: Path) -> None:
        self.config = read_config((home / "config.pbtxt").read_text(encoding="utf-8"))
        version = max((entry for entry in home.iterdir() if entry.name.isdecimal()), key=lambda entry: int(entry.name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(version / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.batches: list[int] = []
        """Of each request."""

    def run(self, crops: np.ndarray, names: list[str]) -> Tensors:
        assert len(crops) <= self.config["max_batch_size"], "a server refuses larger batches"
        self.batches.append(len(crops))
        found = dict(zip(names, self.session.run(names, {"crops": crops}), strict=True))
        # the configuration declares (1,) for it, which the server makes of the model's ()
        return {name: value.reshape(-1, 1) if name == "presence" else value for name, value in found.items()}


def read_config(text: str) -> dict[str, Any]:
    """The entries of our own config.pbtxt that matter here, in the server's JSON form."""
    parameters = re.findall(r'key: "(\w+)" value \{ string_value: ("(?:[^"\\]|\\.)*") \}', text)
    outputs = text[text.index("output [") : text.index("dynamic_batching")]
    return {
        "name": re.findall(r'^name: "(.*)"$', text, re.MULTILINE)[0],
        "max_batch_size": int(re.findall(r"^max_batch_size: (\d+)$", text, re.MULTILINE)[0]),
        "output": [{"name": name} for name in re.findall(r'name: "(\w+)"', outputs)],
        "parameters": {key: {"string_value": json.loads(value)} for key, value in parameters},
    }


def read_request(body: bytes, header_length: int) -> tuple[np.ndarray, list[str]]:
    """Crops, and the outputs asked for: a JSON header, then the tensors' bytes."""
    header = json.loads(body[:header_length])
    (given,) = header["inputs"]
    assert (given["name"], given["datatype"]) == ("crops", "UINT8")
    raw = body[header_length : header_length + given["parameters"]["binary_data_size"]]
    return np.frombuffer(raw, np.uint8).reshape(given["shape"]), [entry["name"] for entry in header["outputs"]]


def write_answer(model: str, tensors: Tensors) -> tuple[bytes, int]:
    """The body, and the length of its JSON header."""
    blobs = {name: np.ascontiguousarray(value, np.float32).tobytes() for name, value in tensors.items()}
    outputs = [
        {
            "name": name,
            "datatype": "FP32",
            "shape": list(tensors[name].shape),
            "parameters": {"binary_data_size": len(blob)},
        }
        for name, blob in blobs.items()
    ]
    header = json.dumps({"model_name": model, "model_version": "1", "outputs": outputs}).encode()
    return header + b"".join(blobs.values()), len(header)


class TritonServer(ThreadingHTTPServer):
    """Serves the models of a repository."""

    daemon_threads = True

    def __init__(self, repository: Path) -> None:
        self.models = {home.name: RepositoryModel(home) for home in repository.iterdir()}
        self.change: Callable[[bytes, int], tuple[bytes, int]] = lambda body, length: (body, length)
        """A test's change of an answer."""
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, model: str) -> str:
        return f"triton://127.0.0.1:{self.server_address[1]}/{model}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TritonServer

    def do_GET(self) -> None:
        model = self._model("/config")
        if model is not None:
            self._send(json.dumps(model.config).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model = self._model("/infer")
        if model is None:
            return
        crops, names = read_request(body, int(self.headers[HEADER]))
        answer, length = write_answer(model.config["name"], model.run(crops, names))
        self._send(*self.server.change(answer, length))

    def _model(self, action: str) -> RepositoryModel | None:
        found = re.fullmatch(rf"/v2/models/([^/]+){action}", self.path)
        name = found[1] if found else ""
        if name in self.server.models:
            return self.server.models[name]
        self._send(json.dumps({"error": f"Request for unknown model: '{name}' is not found"}).encode(), status=400)
        return None

    def _send(self, body: bytes, length: int | None = None, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if length is None else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        if length is not None:
            self.send_header(HEADER, str(length))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """Until the client ends the connection, as it may at any time."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the screen."""


@contextmanager
def serve(repository: Path) -> Iterator[TritonServer]:
    """A server of the repository, on a free port, until the end of the block."""
    with TritonServer(repository) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
