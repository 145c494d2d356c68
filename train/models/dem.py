"""DE-HRNet's detail enhancement module: channels amplified by the whole map (Liu et al., PLoS ONE 2025).

SEA(x) = sigmoid(FC(ReLU(FC(GAP(x))))), and a map leaves as (SEA(x) + 1) · x: no channel is ever switched off. No code
was published; open questions of the paper's summary are decided by the arguments here and by DeHrnetChoices.
"""

# B batch, C channels, h w rows and columns

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DetailGate(nn.Module):
    """x → (SEA(x) + 1) · x, the version with one input: for the branch of the highest resolution."""

    def __init__(self, channels: int, *, reduction: int = 16, bias: bool = True, start: float = 0.0) -> None:
        """reduction: the first of the two layers has channels / reduction outputs, at least 1 (SENet's 16; the paper's
        is not known). start: bias of the second layer at the start; 0 makes the gate about 1.5, -4 about 1.02."""
        super().__init__()
        self.squeeze = nn.Linear(channels, max(1, channels // reduction), bias=bias)
        self.excite = nn.Linear(max(1, channels // reduction), channels, bias=bias)
        if bias:
            nn.init.constant_(self.excite.bias, start)

    def attention(self, x_BChw: Tensor) -> Tensor:
        """(B, C) SEA, 0..1."""
        pooled = x_BChw.mean((2, 3))
        return torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))))

    def forward(self, x_BChw: Tensor) -> Tensor:
        return (self.attention(x_BChw)[..., None, None] + 1) * x_BChw


class DualDetailGate(nn.Module):
    """Two branches → the lower one, the version with two inputs: dropout((SEA(α) + 1) · α).

    α is the lower branch and the higher one, brought to its size and width by a 3×3 convolution of stride 2 and a norm
    as in HRNet's exchange. "sum" adds them; "concat" puts them side by side and brings the result back to the lower
    branch's width by a 1×1 convolution. Both are readings of a summary that does not say what α is.
    """

    def __init__(
        self,
        channels_high: int,
        channels: int,
        *,
        joining: Literal["sum", "concat"] = "sum",
        gate: DetailGate,
        dropout: nn.Module,
    ) -> None:
        """gate: of `channels` for "sum", of twice as many for "concat"."""
        super().__init__()
        conv = nn.Conv2d(channels_high, channels, 3, 2, 1, bias=False)
        norm = nn.BatchNorm2d(channels)
        self.down = nn.Sequential(conv, norm)
        # at the start nothing is added, so that imported HRNet weights see their old inputs
        nn.init.zeros_(norm.weight)
        self.gate, self.dropout, self.joining = gate, dropout, joining
        self.back: nn.Module = nn.Identity()
        if joining == "concat":
            self.back = nn.Conv2d(2 * channels, channels, 1, bias=False)
            with torch.no_grad():
                self.back.weight.zero_()
                self.back.weight[:, channels:, 0, 0] = torch.eye(channels)

    def forward(self, low_BChw: Tensor, high: Tensor) -> Tensor:
        """low: (B, C, h, w); high: (B, channels_high, 2h, 2w) → (B, C, h, w)."""
        lowered = self.down(high)
        alpha = low_BChw + lowered if self.joining == "sum" else torch.cat([lowered, low_BChw], dim=1)
        result: Tensor = self.back(self.dropout(self.gate(alpha)))
        return result
