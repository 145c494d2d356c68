"""The shipped model files: each NAME.onnx has its NAME.json (specification, sha256) and its card NAME.md."""

from __future__ import annotations

from pathlib import Path

DEFAULT_LANDMARKS = "compact-300w"
"""The landmark model that is used when the user names none."""
FLOAT_LANDMARKS = "compact-300w"
"""The same before it was quantised (engines.quantise)."""
DEFAULT_DETECTOR = "face-detector"
"""Likewise the face detector."""


def zoo_path(name: str) -> Path:
    """Where the shipped model of this name lies; the file may be missing in a source tree without models."""
    return Path(__file__).parent / f"{name}.onnx"


def zoo_models() -> list[Path]:
    """All shipped model files, by name."""
    return sorted(Path(__file__).parent.glob("*.onnx"))
