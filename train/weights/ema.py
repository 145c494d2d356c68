"""Exponential moving average of a network's weights and statistics."""

from __future__ import annotations

import copy

import torch
from torch import nn


def half_life_decay(items: int, *, half_life: int = 10_000) -> float:
    """Decay per step of so many items, of an average that forgets half in `half_life` of them (STAR code)."""
    return float(0.5 ** (items / half_life))


class WeightAverage:
    """The averaged copy of a network, for evaluation and release.

    With warm-up the decay rises to its final value over the first steps, min(decay, (1 + n) / (10 + n)), so that the
    random start is soon forgotten. Float buffers (batch-norm statistics) are averaged too, integer ones copied.
    """

    def __init__(self, model: nn.Module, decay: float, *, warm_up: bool = True) -> None:
        self.decay = decay
        self.warm_up = warm_up
        self.steps = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.warm_up else self.decay
        source = model.state_dict()
        averaged, present = [], []
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                averaged.append(value)
                present.append(source[name].to(value.dtype))
            else:
                value.copy_(source[name])
        torch._foreach_lerp_(averaged, present, 1 - decay)
