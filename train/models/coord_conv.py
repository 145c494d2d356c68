"""Convolutions that know where they are: coordinate channels next to the features (Liu et al., NeurIPS 2018)."""

# B batch, C channels, h w rows and columns

from __future__ import annotations

import torch
from torch import Tensor, nn

GUIDE_THRESHOLD = 0.05
"""Where the guiding map exceeds this, the guided coordinate channels show the coordinates; elsewhere 0."""


def coordinate_maps(height: int, width: int) -> Tensor:
    """(3, h, w): row and column, each -1..1 from the first cell's centre to the last one's, and the distance from the
    middle over its largest value."""
    row_h, column_w = (torch.arange(n, dtype=torch.float32) / (n - 1) * 2 - 1 for n in (height, width))
    row, column = torch.meshgrid(row_h, column_w, indexing="ij")
    radius = (row.square() + column.square()).sqrt()
    return torch.stack([row, column, radius / radius.max()])


class CoordConv(nn.Conv2d):
    """A convolution of the features, then row, column and radius, then, if guided, row and column where a map is high.

    The coordinates are constant buffers for maps of side `size`, recomputed for a map of another size. The guide is the
    boundary map in Adaptive Wing (Wang et al., ICCV 2019). No gradient flows through it.
    """

    coordinates: Tensor

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 1, *, size: int, stride: int = 1, guided: bool = False
    ) -> None:
        super().__init__(channels_in + (5 if guided else 3), channels_out, kernel, stride, kernel // 2)
        self.guided = guided
        self.register_buffer("coordinates", coordinate_maps(size, size), persistent=False)

    def forward(self, input: Tensor, guide_B1hw: Tensor | None = None) -> Tensor:
        """(B, C, h, w) → (B, C', h', w'); guide: (B, 1, h, w), for a guided convolution only."""
        return super().forward(self.add_coordinates(input, guide_B1hw))

    def add_coordinates(self, x_BChw: Tensor, guide_B1hw: Tensor | None = None) -> Tensor:
        """(B, C + 3, h, w), or (B, C + 5, h, w) if guided: the input of the convolution."""
        if (guide_B1hw is not None) != self.guided:
            raise ValueError(f"guided is {self.guided}, but a guide was {'not ' if self.guided else ''}given")
        coordinates_3hw = self.coordinates
        if coordinates_3hw.shape[1:] != x_BChw.shape[2:]:
            coordinates_3hw = coordinate_maps(*x_BChw.shape[2:]).to(x_BChw.device)
        channels = [x_BChw, coordinates_3hw.to(x_BChw.dtype).expand(x_BChw.shape[0], -1, -1, -1)]
        if guide_B1hw is not None:
            shown = (guide_B1hw > GUIDE_THRESHOLD).to(x_BChw.dtype)
            channels.append(channels[1][:, :2] * shown)
        return torch.cat(channels, dim=1)
