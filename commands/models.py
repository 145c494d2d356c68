"""The model files that a command was given, opened: weights → engine, detector's name → detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engines.base import Engine
    from tracker.detect.base import FaceDetector


def open_engine(weights: Path | None, device: str, threads: int) -> Engine:
    from engines import load_engine
    from engines.zoo import DEFAULT_LANDMARKS, zoo_path

    if weights is None or weights.suffix != ".safetensors":
        return load_engine(weights or zoo_path(DEFAULT_LANDMARKS), device, threads=threads)
    import torch

    from engines.torch_engine import TorchEngine
    from train.device import torch_device
    from train.recipes.load import load_landmark_network

    torch.set_num_threads(threads)
    spec, deployed = load_landmark_network(weights)
    return TorchEngine(deployed, spec, torch_device(device))


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
