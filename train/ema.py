"""Exponential moving average of a network's weights and statistics."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """The averaged copy of a network, for evaluation and release.

    The decay rises to its final value over the first steps, min(decay, (1 + n) / (10 + n)), so that the random start
    is soon forgotten. Float buffers (batch-norm statistics) are averaged alike, integer ones copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        source = model.state_dict()
        averaged, present = [], []
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                averaged.append(value)
                present.append(source[name].to(value.dtype))
            else:
                value.copy_(source[name])
        torch._foreach_lerp_(averaged, present, 1 - decay)
