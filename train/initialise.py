"""Trained weights as the start of another training, of the same network for these or other landmarks."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from engines.base import EngineError
from train.checkpoint import load_weights


def initialise(model: nn.Module, path: Path) -> list[str]:
    """Load what fits into the model, in place; returns the names of what does not and stays as it was drawn.

    path: a .safetensors file of startrack train or import-weights. What belongs to landmarks or edges of another number
    has another shape, or stands in one of the two alone. Raises EngineError if the file is damaged, or if less than
    half of the model's numbers are in it: it is of another network then.
    """
    found = load_weights(path).state
    own = model.state_dict()
    fitting = {name: found[name] for name, value in own.items() if name in found and found[name].shape == value.shape}
    loaded, whole = (sum(value.numel() for value in state.values()) for state in (fitting, own))
    if 2 * loaded < whole:
        raise EngineError(f"{path}: weights of another network: {loaded} of {whole} numbers fit; expected most of them")
    model.load_state_dict({**own, **fitting})
    return [name for name in own if name not in fitting]
