"""ONNX Runtime: on the CPU the default engine; on NVIDIA GPUs where its GPU build is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from startrack.engines.base import CropArray, Engine, EngineError, LandmarkBatch, ModelSpec, check_crops
from startrack.engines.onnx_session import check_graph, open_session, read_spec_text
from startrack.outside import reason

OUTPUTS = ("points", "covariance", "score", "presence")
"""Names of the graph's outputs, those of LandmarkBatch; "heatmaps" is the fifth."""
VISIBILITY = "visibility"
"""The output of a calibrated model."""


class OnnxEngine(Engine):
    """An engine for .onnx files written by engines.graphs.export."""

    def __init__(self, path: Path, device: str = "auto", *, threads: int = 1) -> None:
        """device, threads: see open_session. Raises EngineError if the file is damaged or is not such a model."""
        self._session: onnxruntime.InferenceSession | None = open_session(path, device, threads)
        self._spec = _read_spec(path, self._session)
        self._has_visibility = VISIBILITY in {output.name for output in self._session.get_outputs()}

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
        names = (*OUTPUTS, "heatmaps") if heatmaps else OUTPUTS
        names = (*names, VISIBILITY) if self._has_visibility else names
        try:
            outputs = self._session.run(names, {"crops": np.ascontiguousarray(crops)})
            return LandmarkBatch(**dict(zip(names, outputs, strict=True)))
        except Exception as error:  # ONNX Runtime's errors have no base class of their own
            raise EngineError(f"{self._spec.name}: ONNX Runtime failed: {reason(error)}") from error

    def close(self) -> None:
        self._session = None


def _read_spec(path: Path, session: onnxruntime.InferenceSession) -> ModelSpec:
    spec = ModelSpec.from_json(read_spec_text(path, session), str(path))
    check_graph(path, session, input_name="crops", outputs=(*OUTPUTS, "heatmaps"))
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
