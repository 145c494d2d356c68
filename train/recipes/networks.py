"""The network of each specification, as it is trained and as it is deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from startrack.engines.base import AnySpec, EngineError, NetworkArgument, NetworkSpec
from startrack.train.recipes.awing import awing_network
from startrack.train.recipes.compact import compact_network
from startrack.train.recipes.de_hrnet_body import de_hrnet_network
from startrack.train.recipes.eyes import eye_network
from startrack.train.recipes.face_detector import detector_network
from startrack.train.recipes.hrnet import hrnet_network
from startrack.train.recipes.star import star_network

Spec = TypeVar("Spec", bound=AnySpec)

ARCHITECTURES: dict[str, Callable[[Any], tuple[nn.Module, nn.Module]]] = {
    "compact_hourglass": compact_network,
    "face_detector": detector_network,
    "eye_net": eye_network,
    "star_hourglass": star_network,
    "awing_hourglass": awing_network,
    "hrnet": hrnet_network,
    "de_hrnet": de_hrnet_network,
}
"""NetworkSpec.architecture → specification → the network that a checkpoint's weights fit, and the same with decoding,
as exported."""

_COCO: dict[str, NetworkArgument] = {"all_branches": False, "aspect": 0.75}
_SMALL_BODY: dict[str, NetworkArgument] = {"width": 16, "modules": (1, 1, 1), "blocks": 1, **_COCO}
LEGACY: Mapping[str, NetworkSpec] = {
    "compact-300w": NetworkSpec("compact_hourglass", {"stacks": 2}),
    "compact-300w-large": NetworkSpec("compact_hourglass", {"stacks": 2}),
    "compact-300w-small": NetworkSpec("compact_hourglass", {"stacks": 1}),
    "compact-300w-slim": NetworkSpec("compact_hourglass", {"stacks": 2, "inner": 0.5}),
    "face-detector": NetworkSpec("face_detector"),
    **dict.fromkeys(("star-300w", "star-wflw", "star-cofw", "star-points"), NetworkSpec("star_hourglass")),
    "star-300w-small": NetworkSpec("star_hourglass", {"stacks": 2, "channels": 64, "stem_channels": 32, "levels": 3}),
    **dict.fromkeys(("awing-300w", "awing-wflw", "awing-cofw"), NetworkSpec("awing_hourglass")),
    "awing-300w-small": NetworkSpec("awing_hourglass", {"stacks": 2, "channels": 64, "levels": 3}),
    "hrnet-300w": NetworkSpec("hrnet", {"width": 18}),
    "hrnet-300w-small": NetworkSpec("hrnet", {"width": 18, "modules": (1, 1, 1), "blocks": 2}),
    "hrnet-coco": NetworkSpec("hrnet", {"width": 32, **_COCO}),
    "hrnet-coco-w48": NetworkSpec("hrnet", {"width": 48, **_COCO}),
    "hrnet-coco-small": NetworkSpec("hrnet", _SMALL_BODY),
    "hrnet-mpii": NetworkSpec("hrnet", {"width": 32, "all_branches": False}),
    "dehrnet-coco": NetworkSpec("de_hrnet", {"width": 32, **_COCO}),
    "dehrnet-coco-small": NetworkSpec("de_hrnet", _SMALL_BODY),
    "dehrnet-mpii": NetworkSpec("de_hrnet", {"width": 32, "all_branches": False}),
    "dehrnet-300w": NetworkSpec("de_hrnet", {"width": 18}),
}
"""Name of a model in files without ModelSpec.network → its network. Nothing is added: new files carry theirs."""


def with_network(spec: Spec) -> Spec:
    """The specification with its network. Raises EngineError if it names none and is of no model of LEGACY."""
    if spec.network is not None:
        return spec
    if spec.name not in LEGACY:
        raise EngineError(f"weights of {spec.name!r} that name no network; expected one of {', '.join(LEGACY)}")
    return replace(spec, network=LEGACY[spec.name])


def build_network(spec: AnySpec) -> tuple[nn.Module, nn.Module]:
    """The network of a specification with weights as drawn, and the same with decoding.

    Raises EngineError for an unknown network, or one that cannot be built.
    """
    spec = with_network(spec)
    assert spec.network is not None
    name = spec.network.architecture
    if name not in ARCHITECTURES:
        raise EngineError(f"{spec.name}: no network {name!r}; expected one of {', '.join(ARCHITECTURES)}")
    try:
        return ARCHITECTURES[name](spec)
    except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError) as error:
        arguments = dict(spec.network.arguments)
        raise EngineError(f"{spec.name}: network {name!r} cannot be built with {arguments}: {error}") from error


def count_weights(spec: AnySpec) -> int:
    """Numbers in the network's parameters and buffers; nothing is allocated. Raises EngineError as build_network."""
    with torch.device("meta"):
        network, _ = build_network(spec)
    return sum(value.numel() for value in network.state_dict().values())
