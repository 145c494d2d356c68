"""Weights of a training → the network they belong to, with its decoding."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from engines.base import EngineError, ModelSpec
from train.checkpoint import load_weights
from train.recipes import NETWORKS


def load_deployed(path: Path) -> tuple[ModelSpec, nn.Module]:
    """The specification and the network (crops → landmarks) of a .safetensors file.

    Raises EngineError if the file is damaged, or its weights are of an unknown network or do not fit.
    """
    weights = load_weights(path)
    if weights.spec.name not in NETWORKS:
        raise EngineError(f"{path}: weights of {weights.spec.name!r}; expected one of {', '.join(NETWORKS)}")
    network, deployed = NETWORKS[weights.spec.name](weights.spec)
    try:
        network.load_state_dict(weights.state)
    except RuntimeError as error:
        raise EngineError(f"{path}: weights do not fit {weights.spec.name}: {str(error).splitlines()[0]}") from error
    return weights.spec, deployed
