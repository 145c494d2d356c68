"""Eye models in ONNX Runtime."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import onnxruntime

from startrack.engines.base import CropArray, EngineError, EyeSpec
from startrack.engines.eyes import EyeBatch, EyeEngine, check_eye_crops, no_eyes
from startrack.engines.onnx_session import check_graph, open_session, read_spec_text
from startrack.outside import reason

OUTPUTS = tuple(field.name for field in fields(EyeBatch))
"""Names of the graph's outputs."""


class OnnxEyeEngine(EyeEngine):
    """An eye engine for .onnx files written by engines.graphs.export_eyes."""

    def __init__(self, path: Path, device: str = "auto", *, threads: int = 1) -> None:
        """device, threads: see open_session. Raises EngineError if the file is damaged or is not such a model."""
        session = open_session(path, device, threads)
        self._spec = EyeSpec.from_json(read_spec_text(path, session), str(path))
        check_graph(path, session, input_name="crops", outputs=OUTPUTS)
        self._session: onnxruntime.InferenceSession | None = session

    @property
    def spec(self) -> EyeSpec:
        return self._spec

    def __call__(self, crops: CropArray) -> EyeBatch:
        """See engines.eyes.EyeEngine."""
        check_eye_crops(self._spec, crops)
        if self._session is None:
            raise EngineError(f"{self._spec.name}: the eye engine is closed")
        if not len(crops):
            return no_eyes()
        try:
            return EyeBatch(*self._session.run(list(OUTPUTS), {"crops": np.ascontiguousarray(crops)}))
        except Exception as error:  # ONNX Runtime's errors have no base class of their own
            raise EngineError(f"{self._spec.name}: ONNX Runtime failed: {reason(error)}") from error

    def close(self) -> None:
        self._session = None
