"""ONNX Runtime on the CPU: the default engine."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime

from engines.base import SPEC_KEY, CropArray, EngineError, LandmarkBatch, ModelSpec, check_crops
from engines.sidecar import check_sidecar

OUTPUTS = ("points", "covariance", "score", "presence")
"""Names of the graph's outputs, those of LandmarkBatch; "heatmaps" is the fifth."""


class OnnxEngine:
    """An engine for .onnx files written by engines.export."""

    def __init__(self, path: Path, device: str = "auto", *, threads: int = 1) -> None:
        """threads: cores for one run. Raises EngineError if the file is damaged or is not such a model."""
        if device not in ("auto", "cpu"):
            raise EngineError(
                f"{path.name}: ONNX Runtime runs on the CPU here, not on {device!r}; expected auto or cpu"
            )
        if threads < 1:
            raise EngineError(f"{path.name}: {threads} threads asked for, expected 1 or more")
        check_sidecar(path)
        self._session: onnxruntime.InferenceSession | None = _open_session(path, threads)
        self._spec = _read_spec(path, self._session)

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine."""
        check_crops(self._spec, crops)
        if self._session is None:
            raise EngineError(f"{self._spec.name}: the engine is closed")
        if not len(crops):
            return _no_landmarks(self._spec, heatmaps)
        names = [*OUTPUTS, "heatmaps"] if heatmaps else list(OUTPUTS)
        return LandmarkBatch(*self._session.run(names, {"crops": np.ascontiguousarray(crops)}))

    def close(self) -> None:
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a spinning thread burns the core that decodes the next frame
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # warnings about the graph are for whoever exports it, errors arrive as exceptions
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class of their own
        raise EngineError(f"{path}: not an ONNX model that can be loaded: {_first_line(error)}") from error


def _read_spec(path: Path, session: onnxruntime.InferenceSession) -> ModelSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    if SPEC_KEY not in metadata:
        raise EngineError(f"{path}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    spec = ModelSpec.from_json(metadata[SPEC_KEY], str(path))
    inputs = [(entry.name, entry.type) for entry in session.get_inputs()]
    missing = {*OUTPUTS, "heatmaps"} - {entry.name for entry in session.get_outputs()}
    if inputs != [("crops", "tensor(uint8)")] or missing:
        raise EngineError(
            f"{path}: input {inputs}, missing outputs {sorted(missing)}; expected uint8 'crops' and "
            f"{', '.join(OUTPUTS)}, heatmaps"
        )
    return spec


def _no_landmarks(spec: ModelSpec, heatmaps: bool) -> LandmarkBatch:
    landmarks, size = spec.num_landmarks, spec.heatmap_size
    return LandmarkBatch(
        points=np.zeros((0, landmarks, 2), np.float32),
        covariance=np.zeros((0, landmarks, 2, 2), np.float32),
        score=np.zeros((0, landmarks), np.float32),
        presence=np.zeros(0, np.float32),
        heatmaps=np.zeros((0, landmarks, size, size), np.float32) if heatmaps else None,
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
