"""Where torch runs."""

from __future__ import annotations

import torch

from engines.base import EngineError


def torch_device(name: str) -> str:
    """ "auto", "cpu" or "cuda" → torch's name; auto is the CPU. Raises EngineError where there is no GPU for "cuda"."""
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError("device cuda: torch finds no NVIDIA GPU here; expected cpu")
    return "cpu" if name == "auto" else name
