"""A model file opened in ONNX Runtime: the hardware, the session, and the specification inside the file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import onnxruntime

from startrack.engines.base import SPEC_KEY, EngineError
from startrack.engines.onnx_nodes import graph_problem
from startrack.engines.sidecar import check_sidecar
from startrack.outside import LARGEST_MODEL, read_bounded, reason

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))
PROVIDERS = {"auto": (CUDA, CPU), "cpu": (CPU,), "cuda": (CUDA, CPU), "tensorrt": (TENSORRT, CUDA, CPU)}
"""Device → ONNX Runtime's providers, the first that can do a node does it."""
OPTIONS: dict[str, dict[str, str]] = {
    # 10 bits of mantissa would move landmarks by more than 0.01 px
    CUDA: {"use_tf32": "0"},
}


def open_session(path: Path, device: str, threads: int) -> onnxruntime.InferenceSession:
    """device: a key of PROVIDERS; auto is the GPU where this ONNX Runtime can use one. threads: cores for one run,
    at most those that are there.

    Raises EngineError if the file is damaged or is no model, or if the device is not there.
    """
    if device not in PROVIDERS:
        raise EngineError(f"{path.name}: no device {device!r}; expected {', '.join(PROVIDERS)}")
    if threads < 1:
        raise EngineError(f"{path.name}: {threads} threads asked for, expected 1 or more")
    if path.stat().st_size > LARGEST_MODEL:
        raise EngineError(f"{path}: {path.stat().st_size} bytes; expected a model of less than {LARGEST_MODEL}")
    providers = _providers(path, device)
    check_sidecar(path)
    check_nodes(path)
    options = onnxruntime.SessionOptions()
    # each has memory of its own; more than cores only wait for one another
    options.intra_op_num_threads = min(threads, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    # a spinning thread burns the core that decodes the next frame
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # warnings about the graph are for whoever exports it, errors arrive as exceptions
    options.log_severity_level = 4
    try:
        session = _start(path, options, providers)
    except EngineError:
        if device != "auto" or providers == [CPU]:
            raise
        session = _start(path, options, [CPU])
    _check_provider(path, device, providers, session)
    return session


def check_nodes(path: Path) -> None:
    """Raise EngineError for a file whose graph may run without end, or asks for far more than the file holds."""
    try:
        problem = graph_problem(read_bounded(path, LARGEST_MODEL))
    except (OSError, ValueError) as error:
        raise EngineError(f"{path}: not an ONNX model that can be loaded: {reason(error)}") from error
    if problem is not None:
        raise EngineError(f"{path}: {problem}")


def _start(path: Path, options: onnxruntime.SessionOptions, providers: list[str]) -> onnxruntime.InferenceSession:
    chosen: list[Any] = [(name, OPTIONS[name]) if name in OPTIONS else name for name in providers]
    try:
        # its own fallback prints to the standard output, and runs a damaged file twice
        return onnxruntime.InferenceSession(str(path), options, providers=chosen, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no base class of their own
        raise EngineError(f"{path}: not an ONNX model that can be loaded: {reason(error)}") from error


def _providers(path: Path, device: str) -> list[str]:
    """Those of the device that this ONNX Runtime was built with. Raises EngineError if its first is not among them."""
    built_in = onnxruntime.get_available_providers()
    requested = PROVIDERS[device]
    if device != "auto" and requested[0] not in built_in:
        raise EngineError(
            f"{path.name}: device {device}: this onnxruntime has {', '.join(built_in)}, not {requested[0]}; expected "
            "the package onnxruntime-gpu in place of onnxruntime"
        )
    return [name for name in requested if name in built_in]


def _check_provider(path: Path, device: str, requested: list[str], session: onnxruntime.InferenceSession) -> None:
    """ONNX Runtime takes the CPU in silence where a GPU's libraries fail to load."""
    active = session.get_providers()
    if requested[0] in active:
        return
    why = f"{requested[0]} did not start: no NVIDIA GPU, or libraries of CUDA{' or TensorRT' * (device == 'tensorrt')}"
    if device != "auto":
        raise EngineError(f"{path.name}: device {device}: {why} are missing")
    logging.getLogger("startrack").warning("%s: runs on the CPU: %s are missing", path.name, why)


def read_spec_text(path: Path, session: onnxruntime.InferenceSession) -> str:
    """The JSON of the specification. Raises EngineError if the file has none."""
    try:
        metadata = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise EngineError(f"{path}: metadata that is not UTF-8; expected a model of startrack export") from error
    if SPEC_KEY not in metadata:
        raise EngineError(f"{path}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    return str(metadata[SPEC_KEY])


def check_graph(
    path: Path, session: onnxruntime.InferenceSession, *, input_name: str, outputs: tuple[str, ...]
) -> None:
    """Raise EngineError unless the graph takes one uint8 input of that name and has those outputs."""
    inputs = [(entry.name, entry.type) for entry in session.get_inputs()]
    missing = set(outputs) - {entry.name for entry in session.get_outputs()}
    if inputs != [(input_name, "tensor(uint8)")] or missing:
        raise EngineError(
            f"{path}: input {inputs}, missing outputs {sorted(missing)}; expected uint8 {input_name!r} and "
            f"{', '.join(outputs)}"
        )
