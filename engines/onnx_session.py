"""A model file opened in ONNX Runtime on the CPU: the session, and the specification inside the file."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from engines.base import SPEC_KEY, EngineError
from engines.sidecar import check_sidecar


def open_session(path: Path, device: str, threads: int) -> onnxruntime.InferenceSession:
    """device: auto or cpu. threads: cores for one run. Raises EngineError if the file is damaged or is no model."""
    if device not in ("auto", "cpu"):
        raise EngineError(f"{path.name}: ONNX Runtime runs on the CPU here, not on {device!r}; expected auto or cpu")
    if threads < 1:
        raise EngineError(f"{path.name}: {threads} threads asked for, expected 1 or more")
    check_sidecar(path)
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
        raise EngineError(f"{path}: not an ONNX model that can be loaded: {first_line(error)}") from error


def read_spec_text(path: Path, session: onnxruntime.InferenceSession) -> str:
    """The JSON of the specification. Raises EngineError if the file has none."""
    metadata = session.get_modelmeta().custom_metadata_map
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


def first_line(error: Exception) -> str:
    """The message of a foreign error without its trace."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
