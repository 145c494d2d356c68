"""Published weights of the STAR code (.pkl files of torch.save) → ours."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from startrack.engines.base import EngineError, ModelSpec
from startrack.outside import LARGEST_MODEL, check_torch_file, one_line, read_bounded, reason
from startrack.train.models.star_hourglass import load_official
from startrack.train.recipes.star import STAR_SPECS, star_network

Entry: TypeAlias = Literal["net", "net_ema"]
"""Of a published file: the network that was best on the test set, itself or its average; of a last_model file "net" is
the network and "net_ema" its average."""

CROP_SCALE = 0.99
"""The STAR code's demo cuts 1.05 times the smaller side of the landmarks' box; the tracker's crop scale is over the
larger side, and the smaller is 0.94 of it on average (300W, training faces)."""
COUNTS = "out_heatmaps.0.conv.weight"
"""The entry whose first dimension is the number of landmarks."""


@dataclass(frozen=True, slots=True, eq=False)
class OfficialNetwork:
    """A network of the STAR code, and how the tracker uses it."""

    network: nn.Module
    spec: ModelSpec


def read_official(path: Path, entry: Entry = "net") -> OfficialNetwork:
    """Load a file of the STAR code; nothing in it is executed.

    The scheme is recognised by the number of landmarks: 68, 98 or 29. Raises EngineError if the file is damaged, has no
    such entry, or holds another network than the published four stacks of 256 channels.
    """
    state = _state(path, entry)
    heads = state.get(COUNTS)
    landmarks = 0 if heads is None or heads.ndim == 0 else len(heads)
    known = {spec.num_landmarks: spec for spec in STAR_SPECS.values() if spec.input_size == 256}
    if landmarks not in known:
        raise EngineError(
            f"{path}: {COUNTS} for {landmarks or 'no'} landmarks; expected weights of the STAR code for "
            f"{', '.join(map(str, known))}"
        )
    spec = replace(known[landmarks], crop_scale=CROP_SCALE)
    network, _ = star_network(spec)
    try:
        load_official(network, state)
    except (ValueError, RuntimeError) as error:
        what = " ".join(line.strip() for line in str(error).splitlines()[:3])
        raise EngineError(f"{path}: weights do not fit {spec.name}: {what}") from error
    return OfficialNetwork(network, spec)


def _state(path: Path, entry: Entry) -> dict[str, Tensor]:
    """Tensors by the STAR code's names; without the prefix that its multi-GPU training puts before them."""
    try:
        check_torch_file(path)
        # from memory: a damaged file may ask for gigabytes of itself, and a file makes room for them before it looks
        content: Any = torch.load(io.BytesIO(read_bounded(path, LARGEST_MODEL)), map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle raises whatever its bytes lead to
        raise EngineError(f"{path}: not readable weights of the STAR code: {reason(error)}") from error
    if not isinstance(content, Mapping) or not isinstance(content.get(entry), Mapping):
        entries = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise EngineError(
            f"{path}: no weights {entry!r} in it, found {one_line(entries or 'nothing')}; expected net or net_ema"
        )
    state = {str(name).removeprefix("module."): value for name, value in content[entry].items()}
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise EngineError(f"{path}: {entry} holds more than tensors; expected a state dict")
    return state
