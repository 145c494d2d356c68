"""Trained weights with their specification, and the whole state of a training, each written atomically."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from startrack.engines.base import SPEC_KEY, AnySpec, EngineError, parse_spec
from startrack.outside import check_ordinary, check_torch_file, reason
from startrack.whole_file import whole_file, write_whole


def save_weights(path: Path, model: nn.Module, spec: AnySpec) -> None:
    """Write a .safetensors file that holds the state dict and the specification."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    write_whole(path, save(state, metadata={SPEC_KEY: spec.to_json()}))


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A state dict read from a file, and the file's specification."""

    state: dict[str, Tensor]
    spec: AnySpec


def load_weights(path: Path) -> Weights:
    """Read a .safetensors file of save_weights. Raises EngineError if it is missing, damaged or has no spec."""
    try:
        check_ordinary(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, MemoryError) as error:
        raise EngineError(f"{path}: not a readable .safetensors checkpoint: {reason(error)}") from error
    if SPEC_KEY not in metadata:
        raise EngineError(f"{path}: no {SPEC_KEY!r} entry in its metadata; expected a checkpoint of startrack train")
    return Weights(state, parse_spec(metadata[SPEC_KEY], str(path)))


def save_training(path: Path, state: dict[str, Any]) -> None:
    """Write everything a training needs to go on: tensors, numbers, containers of them."""
    with whole_file(path) as partial:
        torch.save(state, partial)


def load_training(path: Path) -> dict[str, Any]:
    """Read the state of save_training; nothing in the file is executed. Raises EngineError if it is damaged."""
    try:
        check_torch_file(path)
        if not zipfile.is_zipfile(path):
            raise EngineError(f"{path}: no training state to read; expected the training.pt of an earlier run")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except EngineError:
        raise
    except Exception as error:  # a damaged pickle fails in as many ways as it has instructions
        raise EngineError(f"{path}: not a readable training state: {reason(error)}") from error
    if not isinstance(state, dict):
        raise EngineError(f"{path}: holds a {type(state).__name__}; expected the training.pt of an earlier run")
    return state
