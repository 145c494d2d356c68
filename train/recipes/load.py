"""Weights of a training → the network they belong to, with its decoding."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from startrack.engines.base import AnySpec, EngineError, ModelSpec
from startrack.train.recipes.networks import build_network, count_weights, with_network
from startrack.train.weights.checkpoint import Weights, load_weights
from startrack.train.weights.unfold import exported_weights, unfolded

SLACK = 50_000_000
"""Weights, 200 MB: weights that a network may have beyond twice those of its file; a smaller misfit is named in
detail."""


def load_deployed(path: Path) -> tuple[AnySpec, nn.Module]:
    """The specification and the network, with its decoding, of a .safetensors file, or of a float .onnx one.

    An .onnx file's calibration is no part of the network.
    Raises EngineError if the file is damaged, or its weights are of an unknown network or do not fit.
    """
    exported = path.suffix == ".onnx"
    weights = exported_weights(path) if exported else load_weights(path)
    try:
        spec = with_network(weights.spec)
        _check_size(spec, weights)
        network, deployed = build_network(spec)
    except EngineError as error:
        raise EngineError(f"{path}: {error}") from error
    try:
        network.load_state_dict(unfolded(network, weights.state) if exported else weights.state)
    except RuntimeError as error:
        what = " ".join(line.strip() for line in str(error).splitlines()[:2])  # the first line names only the network
        raise EngineError(f"{path}: weights do not fit {spec.name}: {what}") from error
    return spec, deployed


def _check_size(spec: AnySpec, weights: Weights) -> None:
    """A file from outside must not make a network that is much larger than its own weights."""
    held, wanted = sum(value.numel() for value in weights.state.values()), count_weights(spec)
    if wanted > 2 * held + SLACK:
        raise EngineError(f"{held} weights of {spec.name!r}, whose network has {wanted}; expected as many")


def load_landmark_network(path: Path) -> tuple[ModelSpec, nn.Module]:
    """load_deployed for a landmark model. Raises EngineError if the file holds another network's weights."""
    spec, deployed = load_deployed(path)
    if not isinstance(spec, ModelSpec):
        raise EngineError(f"{path}: weights of {spec.name!r}; expected a landmark model's")
    return spec, deployed
