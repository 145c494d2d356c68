"""Trained weights of residual blocks → those of the same blocks with fewer channels between their two convolutions.

A start for a cheaper network (filter pruning after Li et al., ICLR 2017): what goes into a block and comes out of it
keeps its meaning, so a short training makes up for the channels that were left out.
"""

# O channels out, M channels between, I channels in

from __future__ import annotations

from torch import Tensor

FIRST, SECOND = ".first.0.weight", ".second.0.weight"
"""Kernels (M, I, 3, 3) and (O, M, 3, 3) of train.models.compact_hourglass.Residual; .first.1 is the norm between."""


def narrowed(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state with each block's strongest channels, as many as the `wanted` state dict has there."""
    state = dict(state)
    for name in [name for name in wanted if name.endswith(FIRST) and name in state]:
        block = name.removesuffix(FIRST)
        channels = len(wanted[name])
        if len(state[name]) <= channels or block + SECOND not in state:
            continue
        kept = _strength(state, block).topk(channels).indices.sort().values
        state[block + SECOND] = state[block + SECOND][:, kept]
        for inside in (FIRST, *(f".first.1.{what}" for what in ("weight", "bias", "running_mean", "running_var"))):
            state[block + inside] = state[block + inside][kept]
    return state


def _strength(state: dict[str, Tensor], block: str) -> Tensor:
    """(M,) how much of what comes out hangs on each channel, for white input: its kernel's norm after batch
    normalisation, times that of the kernels that read it."""
    gain = state[f"{block}.first.1.weight"] / state[f"{block}.first.1.running_var"].clamp_min(1e-12).sqrt()
    made = state[block + FIRST].flatten(1).norm(dim=1) * gain.abs()
    strength: Tensor = made * state[block + SECOND].transpose(0, 1).flatten(1).norm(dim=1)
    return strength
