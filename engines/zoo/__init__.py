"""The shipped model files: each NAME.onnx has its NAME.json (specification, sha256) and its card NAME.md."""

from __future__ import annotations

from pathlib import Path

SIZES = {"s": "compact-300w-small", "m": "compact-300w-slim", "l": "compact-300w-large"}
"""Size of a landmark model → its name: the larger, the more accurate and the slower."""
DEFAULT_SIZE = "m"
"""Which is used when the user names none."""
DEFAULT_DETECTOR = "face-detector"
"""Likewise the face detector."""
DEFAULT_LANDMARKS = SIZES[DEFAULT_SIZE]


def zoo_path(name: str) -> Path:
    """Where the shipped model of this name lies; the file may be missing in a source tree without models."""
    return Path(__file__).parent / f"{name}.onnx"


def zoo_models() -> list[Path]:
    """All shipped model files, by name."""
    return sorted(Path(__file__).parent.glob("*.onnx"))


def shipped_sizes() -> dict[str, str]:
    """Those of SIZES whose file is there."""
    return {size: name for size, name in SIZES.items() if zoo_path(name).is_file()}


def landmarks_path(size: str = DEFAULT_SIZE) -> Path:
    """The shipped landmark model of a size. Raises EngineError if there is none."""
    shipped = shipped_sizes()
    if size not in shipped:
        from startrack.engines.base import EngineError

        raise EngineError(f"no landmark model of size {size!r} is shipped; expected {' or '.join(shipped)}")
    return zoo_path(shipped[size])


def float_name(name: str) -> str:
    """Name of the same model before it was quantised (engines.graphs.quantise): NAME-float, or NAME where none is
    shipped."""
    return f"{name}-float" if zoo_path(f"{name}-float").is_file() else name


FLOAT_LANDMARKS = float_name(DEFAULT_LANDMARKS)
"""The default model in float32: what half precision, TensorRT and another quantisation start from."""
