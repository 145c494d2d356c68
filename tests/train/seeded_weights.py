"""The parity folder's rule for weights that are not stored: each key's own generator."""

from __future__ import annotations

import json
import zlib

import numpy as np
import torch
from torch import Tensor


def read_keys(stored: np.ndarray) -> dict[str, list[int]]:
    """JSON bytes → name and shape of each entry of the official state."""
    keys: dict[str, list[int]] = json.loads(bytes(stored).decode())
    return keys


def seeded_state(keys: dict[str, list[int]], seed: int) -> dict[str, Tensor]:
    return {name: _value(name, tuple(shape), seed) for name, shape in keys.items()}


def _value(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    n = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF).standard_normal(shape)
    if name.endswith("running_mean"):
        value = 0.1 * n
    elif name.endswith("running_var"):
        value = 0.5 + np.abs(n)
    elif len(shape) == 1:
        value = 1 + 0.1 * n if name.endswith("weight") else 0.1 * n
    else:
        value = 0.5 * n * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(value.astype(np.float32))
