"""Weights published with HRNet (ImageNet, COCO, MPII, faces) → our networks, which bear the same names."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from startrack.engines.base import EngineError
from startrack.outside import LARGEST_MODEL, check_torch_file, read_bounded, reason

HEADS = ("final_layer.", "head.")
"""Entries of HRNet that belong to the landmarks or classes of one training."""
NEW_IN_DE_HRNET = ("details.", ".2.offset.", ".2.scope.")


def load_published(network: nn.Module, path: Path) -> list[str]:
    """Load a .pth file into an HRNet or a DE-HRNet, in place; returns what of the network it does not hold.

    Nothing in the file is executed. What may be missing is the head (another number of landmarks, or ImageNet's
    classes) and what DE-HRNet adds; entries that the network does not know are left aside. Raises EngineError if the
    file is damaged, or anything else is missing or of another shape.
    """
    state = _read(path)
    own = network.state_dict()
    fits = {name: value for name, value in state.items() if name in own and value.shape == own[name].shape}
    missing = sorted(own.keys() - fits.keys())
    wrong = [name for name in missing if not _may_be_missing(name)]
    if wrong:
        shape = f", found {tuple(state[wrong[0]].shape)}" if wrong[0] in state else ""
        raise EngineError(
            f"{path}: not this network's weights: {len(wrong)} entries missing or of another shape, e.g. {wrong[0]} "
            f"{tuple(own[wrong[0]].shape)}{shape}"
        )
    network.load_state_dict({**own, **fits})
    return missing


def _may_be_missing(name: str) -> bool:
    return name.startswith((*HEADS, NEW_IN_DE_HRNET[0])) or any(part in name for part in NEW_IN_DE_HRNET[1:])


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        check_torch_file(path)
        # from memory: a damaged file may ask for gigabytes of itself, and a file makes room for them before it looks
        content: Any = torch.load(io.BytesIO(read_bounded(path, LARGEST_MODEL)), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in as many ways as it has instructions
        raise EngineError(f"{path}: not weights that can be read: {reason(error)}") from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: a state dict expected, found {type(content).__name__}")
    return {str(name).removeprefix("module."): value for name, value in content.items() if isinstance(value, Tensor)}
