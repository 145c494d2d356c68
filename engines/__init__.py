"""Engines: a model file, run on some hardware. load_engine is the one list of backends.

numpy and the backends are imported when a model is loaded: the command line reads this package for its --help.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

# onnxruntime reads this at import and otherwise writes telemetry files
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from startrack.engines.base import DetectorEngine, Engine
    from startrack.engines.eyes import EyeEngine


def load_engine(source: Path | str, device: str = "auto", *, threads: int = 1) -> Engine:
    """Load a landmark model by its suffix, or the address of one on a server.

    source: a .onnx or .plan file, or triton://HOST:PORT/MODEL. device: "auto" (the best there is), "cpu", "cuda" or
    "tensorrt" (ONNX models built for TensorRT by ONNX Runtime). A plan runs with the library that built it, TensorRT or
    TensorRT for RTX. threads: CPU threads for one run. Raises EngineError
    if no engine runs the file there, or the file is missing, damaged or without a specification.
    """
    if isinstance(source, str) and "://" in source:
        from startrack.engines.triton_engine import TritonEngine

        return TritonEngine(source)
    path = Path(source)
    if _suffix(path, ".onnx", ".plan") == ".plan":
        return _load_plan(path, device, threads)
    from startrack.engines.onnx_engine import OnnxEngine

    return OnnxEngine(path, device, threads=threads)


def _load_plan(path: Path, device: str, threads: int) -> Engine:
    """A TensorRT plan; where this machine cannot run it and may choose, the .onnx model next to it, with a notice."""
    from startrack.engines.base import UnsuitableError
    from startrack.engines.sidecar import read_sidecar
    from startrack.engines.tensorrt_engine import TensorRtEngine

    try:
        return TensorRtEngine(path, device)
    except UnsuitableError as error:
        fallback = path.with_suffix(".onnx")
        if device != "auto" or not fallback.is_file():
            raise
        sidecar = read_sidecar(path)
        engine = load_engine(fallback, threads=threads)
        if sidecar is None or engine.spec != sidecar.spec:
            engine.close()
            raise
        logging.getLogger("startrack").warning("%s; running %s instead", error, fallback.name)
        return engine


def load_detector(path: Path, device: str = "auto", *, threads: int = 1) -> DetectorEngine:
    """Load a face detection network; arguments and errors as load_engine's, on the CPU by default."""
    _suffix(path, ".onnx")
    from startrack.engines.onnx_detector_engine import OnnxDetectorEngine

    return OnnxDetectorEngine(path, device, threads=threads)


def load_eyes(path: Path, device: str = "cpu", *, threads: int = 1) -> EyeEngine:
    """Load a model of single eyes; arguments and errors as load_engine's, on the CPU by default: crops are tiny."""
    _suffix(path, ".onnx")
    from startrack.engines.onnx_eye_engine import OnnxEyeEngine

    return OnnxEyeEngine(path, device, threads=threads)


def _suffix(path: Path, *known: str) -> str:
    """The suffix of a file that is there. Raises EngineError unless it is one of the known ones."""
    from startrack.engines.base import EngineError

    expected, suffix = " or ".join(known), path.suffix.lower()
    if not path.is_file():
        raise EngineError(f"{path}: no such model file; expected a {expected} model")
    if suffix not in known:
        raise EngineError(f"{path.name}: no engine runs {suffix or 'a file without suffix'!r}; expected {expected}")
    return suffix
