"""DySample: up-sampling as point sampling with offsets that the features choose (Liu et al., ICCV 2023).

Names of modules and sub-pixel order are those of tiny-smart/dysample 81a1de5.
"""

# B batch, C channels, G groups, h w rows and columns, s scale, P = s² sub-pixels of a cell

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STATIC_RANGE = 0.25
DYNAMIC_RANGE = 0.5
"""Of source cells that an offset of 1 moves by; times the sigmoid of the scope if that is learned."""


class DySample(nn.Module):
    """(B, C, h, w) → (B, C, s·h, s·w): each sub-pixel reads the map, bilinearly, where its offset says.

    "lp" (linear, pixel shuffle) computes the offsets of all sub-pixels from the cell, "pl" (pixel shuffle, linear) from
    shuffled features; the paper's DySample is static lp with 4 groups, DySample+ dynamic lp. It starts as bilinear
    interpolation with offsets of about a thousandth of a cell.
    """

    init_pos: Tensor

    def __init__(
        self,
        channels: int,
        scale: int = 2,
        *,
        style: Literal["lp", "pl"] = "lp",
        groups: int = 4,
        dynamic: bool = False,
    ) -> None:
        """groups: parts of the channels that share offsets; divides channels. "pl" needs channels to be a multiple of
        scale². Raises ValueError."""
        super().__init__()
        per_cell = scale**2
        if channels % groups or (style == "pl" and channels % per_cell):
            divisor = f"{groups} groups" + (f" and scale² = {per_cell}" if style == "pl" else "")
            raise ValueError(f"{channels} channels cannot be parted; expected a multiple of {divisor}")
        self.scale, self.groups, self.style = scale, groups, style
        channels_in = channels // per_cell if style == "pl" else channels
        channels_out = 2 * groups if style == "pl" else 2 * groups * per_cell
        self.offset = nn.Conv2d(channels_in, channels_out, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)
        self.scope = nn.Conv2d(channels_in, channels_out, 1, bias=False) if dynamic else None
        if self.scope is not None:
            nn.init.zeros_(self.scope.weight)
        self.register_buffer("init_pos", _sub_pixels(scale, groups), persistent=False)

    def forward(self, x_BChw: Tensor) -> Tensor:
        return self.sample(x_BChw, self.offsets(x_BChw))

    def offsets(self, x_BChw: Tensor) -> Tensor:
        """(B, 2·G·P, h, w) x of all groups and sub-pixels, then y, in cells from the cell's own middle."""
        features = F.pixel_shuffle(x_BChw, self.scale) if self.style == "pl" else x_BChw
        offset: Tensor = self.offset(features)
        if self.scope is None:
            offset = offset * STATIC_RANGE
        else:
            offset = offset * self.scope(features).sigmoid() * DYNAMIC_RANGE
        if self.style == "pl":
            offset = F.pixel_unshuffle(offset, self.scale)
        return offset + self.init_pos

    def sample(self, x_BChw: Tensor, offset: Tensor) -> Tensor:
        """The map read at the offsets, in float32 or better: bfloat16 has 8 bits for a place in the map."""
        batch, channels, height, width = x_BChw.shape
        kind = torch.promote_types(x_BChw.dtype, torch.float32)
        size = torch.tensor([width, height], dtype=kind, device=x_BChw.device)
        x_w, y_h = (torch.arange(n, dtype=kind, device=x_BChw.device) + 0.5 for n in (width, height))
        grid_2hw = torch.stack(torch.meshgrid(y_h, x_w, indexing="ij")).flip(0)
        places = grid_2hw[:, None] + offset.to(kind).reshape(batch, 2, -1, height, width)
        places = 2 * places / size.view(1, 2, 1, 1, 1) - 1
        # no five-dimensional pixel shuffle: the exporter to ONNX has none
        shuffled = F.pixel_shuffle(places.reshape(batch, -1, height, width), self.scale)
        high, wide = self.scale * height, self.scale * width
        grid = shuffled.reshape(batch, 2, self.groups, high, wide).permute(0, 2, 3, 4, 1)
        parts = x_BChw.to(kind).reshape(batch * self.groups, channels // self.groups, height, width)
        sampled = F.grid_sample(
            parts, grid.reshape(-1, high, wide, 2), mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled.reshape(batch, channels, high, wide).to(x_BChw.dtype)


def _sub_pixels(scale: int, groups: int) -> Tensor:
    """(1, 2·G·P, 1, 1) where bilinear interpolation reads each sub-pixel: x, then y; group by group, row by row."""
    steps = (torch.arange(scale, dtype=torch.float32) - (scale - 1) / 2) / scale
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x.flatten().repeat(groups), y.flatten().repeat(groups)]).view(1, -1, 1, 1)
