"""The model files that a command was given, opened: weights → engine, detector's name → detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engines.base import Engine
    from tracker.detect.base import FaceDetector


def open_engine(weights: Path | None, device: str, threads: int, *, url: str | None = None) -> Engine:
    """The engine of a model file, of trained weights, or of a server at `url`; by default the shipped model's.

    device auto is the best that is there; weights (.safetensors) run in float32 on the CPU and in float16 on a GPU.
    """
    from engines import load_engine
    from engines.zoo import DEFAULT_LANDMARKS, zoo_path

    if url is not None:
        if weights is not None:
            raise typer.BadParameter("given beside --weights; expected one of them", param_hint="--engine")
        if "://" not in url:
            raise typer.BadParameter(f"{url!r}; expected triton://HOST:PORT/MODEL", param_hint="--engine")
        return load_engine(url, device, threads=threads)
    if weights is None or weights.suffix != ".safetensors":
        return load_engine(weights or zoo_path(DEFAULT_LANDMARKS), device, threads=threads)
    return _open_weights(weights, device, threads)


def _open_weights(weights: Path, device: str, threads: int) -> Engine:
    import torch

    from engines.base import EngineError
    from engines.torch_cuda_engine import TorchCudaEngine
    from engines.torch_engine import TorchEngine
    from train.recipes.load import load_landmark_network

    if device == "tensorrt":
        raise EngineError(f"{weights.name}: torch runs on cpu or cuda, not on {device!r}; expected a .onnx or .plan")
    torch.set_num_threads(threads)
    spec, deployed = load_landmark_network(weights)
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return TorchCudaEngine(deployed, spec)
    return TorchEngine(deployed, spec)


def open_detector(name: str, model: Path | None, size: int, min_score: float | None = None) -> FaceDetector:
    from engines.zoo import DEFAULT_DETECTOR, zoo_path

    threshold = {} if min_score is None else {"min_score": min_score}
    match name:
        case "zoo" | "auto":
            from engines import load_detector
            from tracker.detect.zoo_detector import ZooDetector

            return ZooDetector(load_detector(model or zoo_path(DEFAULT_DETECTOR)), input_size=size, min_score=min_score)
        case "yunet":
            from tracker.detect.yunet_detector import YuNetDetector

            if model is None:
                raise typer.BadParameter("missing; expected YuNet's .onnx file", param_hint="--detector-model")
            return YuNetDetector(model, input_size=size, **threshold)
        case _:
            from tracker.detect.fetch import resolve_model
            from tracker.detect.mediapipe_detector import MediaPipeDetector

            return MediaPipeDetector(resolve_model(explicit_path=model), **threshold)
