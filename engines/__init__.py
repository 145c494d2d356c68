"""Engines: a model file, run on some hardware. load_engine is the one list of backends."""

from __future__ import annotations

import os
from pathlib import Path

# onnxruntime reads this at import and otherwise writes telemetry files
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from engines.base import DetectorEngine, Engine, EngineError


def load_engine(path: Path, device: str = "auto", *, threads: int = 1) -> Engine:
    """Load a landmark model by its suffix.

    device: "auto", "cpu" or "cuda". threads: CPU threads for one run. Raises EngineError if no engine runs the file
    or the file is missing, damaged or without a specification.
    """
    if not path.is_file():
        raise EngineError(f"{path}: no such model file; expected a .onnx model")
    match path.suffix.lower():
        case ".onnx":
            from engines.onnx_engine import OnnxEngine

            return OnnxEngine(path, device, threads=threads)
        case suffix:
            raise EngineError(f"{path.name}: no engine runs {suffix or 'a file without suffix'!r}; expected .onnx")


def load_detector(path: Path, device: str = "auto", *, threads: int = 1) -> DetectorEngine:
    """Load a face detection network by its suffix; arguments and errors as load_engine's."""
    if not path.is_file():
        raise EngineError(f"{path}: no such model file; expected a .onnx face detector")
    match path.suffix.lower():
        case ".onnx":
            from engines.onnx_detector_engine import OnnxDetectorEngine

            return OnnxDetectorEngine(path, device, threads=threads)
        case suffix:
            raise EngineError(f"{path.name}: no engine runs {suffix or 'a file without suffix'!r}; expected .onnx")
