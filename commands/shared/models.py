"""The model files that a command was given, opened: weights → engine, detector's name → detector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from startrack.commands.shared.errors import note

if TYPE_CHECKING:
    from startrack.engines.base import Engine
    from startrack.engines.zoo import Licence
    from startrack.tracker.detect.base import FaceDetector
    from startrack.tracker.eyes.read_eyes import EyeReader
    from startrack.tracker.schemes import LandmarkScheme


def model_file(weights: Path | None, size: str | None, licence: Licence | None = None) -> Path:
    """What --weights or --model name, by default the shipped model of the default size or, with --licence free, the
    free one. One of them is None. Raises EngineError for a model that is known not to be of that licence."""
    from startrack.engines.zoo import landmarks_path, refuse_research

    if weights is not None and size is not None:
        raise typer.BadParameter("given beside --weights; expected one of them", param_hint="--model")
    if weights is None:
        return landmarks_path(size, licence)
    if licence == "free":
        refuse_research(weights)
    return weights


def described(path: Path) -> dict[str, str]:
    """A model file as results name it."""
    from startrack.engines.sidecar import file_sha256

    return {"file": path.name, "sha256": file_sha256(path)}


def open_engine(
    weights: Path | None,
    device: str,
    threads: int,
    *,
    size: str | None = None,
    url: str | None = None,
    licence: Licence | None = None,
) -> Engine:
    """The engine of a model file, of trained weights, of a shipped model by its size, or of a server at `url`.

    device auto is the best that is there; weights (.safetensors) run in float32 on the CPU and in float16 on a GPU.
    """
    from startrack.engines import load_engine

    if url is not None:
        if weights is not None or size is not None:
            given = "--model" if weights is None else "--weights"
            raise typer.BadParameter(f"given beside {given}; expected one of them", param_hint="--engine")
        if "://" not in url:
            raise typer.BadParameter(f"{url!r}; expected triton://HOST:PORT/MODEL", param_hint="--engine")
        if licence == "free":
            raise typer.BadParameter("nothing says what a server's model may be used for", param_hint="--licence")
        return load_engine(url, device, threads=threads)
    path = model_file(weights, size, licence)
    if path.suffix != ".safetensors":
        return load_engine(path, device, threads=threads)
    return _open_weights(path, device, threads)


def _open_weights(weights: Path, device: str, threads: int) -> Engine:
    import torch

    from startrack.engines.base import EngineError
    from startrack.engines.torch_cuda_engine import TorchCudaEngine
    from startrack.engines.torch_engine import TorchEngine
    from startrack.train.recipes.load import load_landmark_network

    if device == "tensorrt":
        raise EngineError(f"{weights.name}: torch runs on cpu or cuda, not on {device!r}; expected a .onnx or .plan")
    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    spec, deployed = load_landmark_network(weights)
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return TorchCudaEngine(deployed, spec)
    return TorchEngine(deployed, spec)


def open_detector(
    name: str, model: Path | None, size: int | None, min_score: float | None = None, *, licence: Licence = "research"
) -> FaceDetector:
    """The detector of that name. size: its own if None. licence: as engines.zoo.licence_for gives it.

    Raises EngineError for a model that is known not to be of that licence.
    """
    from startrack.engines.zoo import detector_path, refuse_research

    threshold = {} if min_score is None else {"min_score": min_score}
    if licence == "free":
        if name not in ("zoo", "auto"):
            raise typer.BadParameter(
                f"{name!r} is not known to be free for any use; expected zoo", param_hint="--detector"
            )
        if model is not None:
            refuse_research(model)
    match name:
        case "zoo" | "auto":
            from startrack.engines import load_detector
            from startrack.tracker.detect.zoo_detector import ZooDetector

            return ZooDetector(load_detector(model or detector_path(licence)), input_size=size, min_score=min_score)
        case "yunet":
            from startrack.tracker.detect.yunet_detector import INPUT_SIZE, YuNetDetector

            if model is None:
                raise typer.BadParameter("missing; expected YuNet's .onnx file", param_hint="--detector-model")
            return YuNetDetector(model, input_size=size or INPUT_SIZE, **threshold)
        case _:
            from startrack.tracker.detect.fetch import resolve_model
            from startrack.tracker.detect.mediapipe_detector import MediaPipeDetector

            return MediaPipeDetector(resolve_model(explicit_path=model), **threshold)


def open_eyes(wanted: bool | None, licence: Licence, scheme: LandmarkScheme, threads: int) -> EyeReader | None:
    """What reads the eyes of faces with such landmarks; None where they are not to be read, with a line if they are
    wanted and cannot be. licence: as engines.zoo.licence_for gives it."""
    from startrack.engines import load_eyes
    from startrack.engines.zoo import wanted_eyes
    from startrack.tracker.eyes.read_eyes import EyeReader

    path = wanted_eyes(wanted, licence, scheme.name, has_lids=bool(scheme.ibug_68), report=note)
    return None if path is None else EyeReader(load_eyes(path, threads=threads), scheme)
