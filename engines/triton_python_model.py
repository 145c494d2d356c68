"""What NVIDIA's Triton Inference Server runs in its python backend: the ONNX model in this folder, by ONNX Runtime.

engines.triton_repository copies this file next to a model.onnx, as model.py. It needs numpy and onnxruntime in the
server's Python, and nothing of startrack.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

INPUT = "crops"


class TritonPythonModel:
    """One instance of the model; the server calls these methods by their names."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model of this version. args: the server's, among them the configuration as JSON."""
        import onnxruntime

        config: dict[str, Any] = json.loads(args["model_config"])
        gpu = args.get("model_instance_kind") == "GPU"
        wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"] if gpu else ["CPUExecutionProvider"]
        options = onnxruntime.SessionOptions()
        # an instance is one thread: more faces at once are more instances
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self._outputs = [str(entry["name"]) for entry in config["output"]]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests that the server has put together, in one run of the model."""
        import triton_python_backend_utils as server

        crops = [server.get_input_tensor_by_name(request, INPUT).as_numpy() for request in requests]
        asked = set().union(*(request.requested_output_names() for request in requests))
        names = [name for name in self._outputs if name in asked]
        outputs = self._session.run(names, {INPUT: np.concatenate(crops)})
        ends = np.cumsum([len(part) for part in crops])
        answers = []
        for request, start, end in zip(requests, [0, *ends[:-1]], ends, strict=True):
            own = set(request.requested_output_names())
            tensors = [
                server.Tensor(name, np.ascontiguousarray(values[start:end]))
                for name, values in zip(names, outputs, strict=True)
                if name in own
            ]
            answers.append(server.InferenceResponse(output_tensors=tensors))
        return answers
