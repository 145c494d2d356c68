"""A one-class, anchor-free face detector for the CPU: three strides, a feature pyramid, one shared head.

After FCOS (Tian et al., ICCV 2019: a prediction per cell, no anchors), with its pyramid (Lin et al., CVPR 2017) and, as
YuNet (Wu et al., MIR 2023), with landmarks predicted with the box. Backbone of basic residual blocks and full 3×3
convolutions: below stride 4 they run at several times the arithmetic rate of YuNet's depthwise ones. A face is a
square, so its box is three numbers.
"""

# B batch, C channels, h w cells of one map, N cells of all maps

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from startrack.engines.base import DetectorSpec
from startrack.train.models.compact_hourglass import Residual, conv_norm

OUTPUTS = 8
"""Per cell: score logit, centre x, y (strides from the cell's centre), log of side over stride, both eyes x, y."""
START_SCORE = 0.01
"""What an untrained network says of every cell (Lin et al., ICCV 2017), else the many empty cells rule the start."""


class DetectorOutput(NamedTuple):
    """The network's output for each cell of B pictures."""

    logits: Tensor
    """(B, N) of the score."""
    squares: Tensor
    """(B, N, 3) centre x, y, side, picture pixels."""
    eyes: Tensor
    """(B, N, 2, 2) right eye, left eye, picture pixels."""


class FaceDetections(NamedTuple):
    """engines.base.DetectionBatch as tensors."""

    scores: Tensor
    """(B, N)."""
    squares: Tensor
    """(B, N, 3)."""
    eyes: Tensor
    """(B, N, 2, 2)."""


class FaceDetector(nn.Module):
    """uint8 pictures → a logit, a square and two eyes in every cell of every map."""

    def __init__(
        self,
        *,
        stem: tuple[int, int] = (16, 32),
        widths: Sequence[int] = (48, 64, 96),
        depths: Sequence[int] = (2, 2, 1),
        neck: int = 48,
    ) -> None:
        """stem: channels at strides 2 and 4. widths, depths: channels and residual blocks at strides 8, 16, 32."""
        super().__init__()
        self.strides = tuple(8 * 2**level for level in range(len(widths)))
        self.stem = nn.Sequential(
            conv_norm(3, stem[0], stride=2), nn.ReLU(), conv_norm(stem[0], stem[1], stride=2), nn.ReLU()
        )
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(before, width, stride=2), *(Residual(width, width) for _ in range(depth - 1)))
            for (before, width), depth in zip(itertools.pairwise((stem[1], *widths)), depths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths)
        self.merges = nn.ModuleList(nn.Sequential(conv_norm(neck, neck), nn.ReLU()) for _ in widths[:-1])
        self.tower = nn.Sequential(conv_norm(neck, neck), nn.ReLU())
        self.head = nn.Conv2d(neck, OUTPUTS, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[0] = -torch.log(torch.tensor(1 / START_SCORE - 1))
            self.head.bias[3] = 1.4  # a side of four strides, the middle of a map's range

    def forward(self, pictures: Tensor) -> DetectorOutput:
        """pictures: (B, H, W, 3) uint8, H and W multiples of the last stride."""
        x = self.stem(pictures.permute(0, 3, 1, 2).float() / 255)
        features: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        maps = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for level in reversed(range(len(maps) - 1)):
            lifted = F.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
            maps[level] = self.merges[level](maps[level] + lifted)
        return decode([self.head(self.tower(each)) for each in maps], self.strides)


def decode(raws_BChw: Sequence[Tensor], strides: Sequence[int]) -> DetectorOutput:
    """The maps' outputs → picture pixels. Pixel centres are integers, so cell 0 is centred on (stride - 1) / 2."""
    # one table of all maps' cells, cells last until the end: ONNX Runtime pays for every small operation, and far more
    # where the last axis is as short as x and y
    raw_B8N = torch.cat([raw.float().flatten(2) for raw in raws_BChw], dim=2)
    cells = [_cells(raw, stride) for raw, stride in zip(raws_BChw, strides, strict=True)]
    centres_2N, stride_N = torch.cat([each[:2] for each in cells], dim=1), torch.cat([each[2] for each in cells])
    middle_B2N = centres_2N + stride_N * raw_B8N[:, 1:3]
    # a logit of 5 is a side of 148 strides: larger than any picture, small enough for exp
    side_B1N = stride_N * raw_B8N[:, 3:4].clamp(-4, 5).exp()
    eyes_B4N = centres_2N.repeat(2, 1) + stride_N * raw_B8N[:, 4:8]
    squares_BN3 = torch.cat([middle_B2N, side_B1N], dim=1).transpose(1, 2)
    eyes_BN4 = eyes_B4N.transpose(1, 2)
    return DetectorOutput(raw_B8N[:, 0], squares_BN3, eyes_BN4.reshape(*eyes_BN4.shape[:2], 2, 2))


def _cells(raw_BChw: Tensor, stride: int) -> Tensor:
    """(3, N) x, y in picture pixels and stride of a map's cells."""
    rows, columns = raw_BChw.shape[2:]
    centres = cell_centres(rows, columns, stride, raw_BChw.device).T
    return torch.cat([centres, torch.full_like(centres[:1], stride)])


def cell_centres(rows: int, columns: int, stride: int, device: torch.device | None = None) -> Tensor:
    """(rows · columns, 2) x, y in picture pixels, row by row."""
    y = (torch.arange(rows, device=device) + 0.5) * stride - 0.5
    x = (torch.arange(columns, device=device) + 0.5) * stride - 0.5
    grid = torch.stack([x.expand(rows, columns), y.unsqueeze(1).expand(rows, columns)], dim=-1)
    return grid.reshape(-1, 2)


class DeployedDetector(nn.Module):
    """The network as it is exported: scores in place of logits."""

    def __init__(self, network: nn.Module, spec: DetectorSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec

    def forward(self, pictures: Tensor) -> FaceDetections:
        """pictures: (B, H, W, 3) uint8."""
        output = self.network(pictures)
        return FaceDetections(output.logits.sigmoid(), output.squares, output.eyes)
