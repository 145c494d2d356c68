"""Face detectors in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from startrack.engines.base import CropArray, DetectionBatch, DetectorEngine, DetectorSpec, EngineError, check_pictures
from startrack.engines.onnx_session import check_graph, open_session, read_spec_text
from startrack.outside import reason

OUTPUTS = ("scores", "squares", "eyes")
"""Names of the graph's outputs, those of DetectionBatch."""


class OnnxDetectorEngine(DetectorEngine):
    """A detector engine for .onnx files written by engines.graphs.export_detector."""

    def __init__(self, path: Path, device: str = "auto", *, threads: int = 1) -> None:
        """device, threads: see open_session. Raises EngineError if the file is damaged or is not such a model."""
        session = open_session(path, device, threads)
        self._spec = DetectorSpec.from_json(read_spec_text(path, session), str(path))
        check_graph(path, session, input_name="pictures", outputs=OUTPUTS)
        self._session: onnxruntime.InferenceSession | None = session

    @property
    def spec(self) -> DetectorSpec:
        return self._spec

    def __call__(self, pictures: CropArray) -> DetectionBatch:
        """See engines.base.DetectorEngine."""
        check_pictures(self._spec, pictures)
        if self._session is None:
            raise EngineError(f"{self._spec.name}: the detector is closed")
        try:
            return DetectionBatch(*self._session.run(list(OUTPUTS), {"pictures": np.ascontiguousarray(pictures)}))
        except Exception as error:  # ONNX Runtime's errors have no base class of their own
            raise EngineError(f"{self._spec.name}: ONNX Runtime failed: {reason(error)}") from error

    def close(self) -> None:
        self._session = None
