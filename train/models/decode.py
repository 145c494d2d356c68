"""The torch twin of engines/decode.py: heatmaps → points and covariance, differentiable and exportable."""

# B batch, K landmarks, h w heatmap rows and columns

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from startrack.engines.base import SCORE_RADIUS


class Moments(NamedTuple):
    """Mean and covariance of heatmaps taken as distributions, in crop pixels."""

    points: Tensor
    """(B, K, 2) x, y."""
    covariance: Tensor
    """(B, K, 3) xx, xy, yy in px², the spread of one cell included (see engines.decode.soft_argmax)."""


def soft_argmax(heatmaps_BKhw: Tensor, stride: int, *, stretched: bool = False) -> Moments:
    """As engines.decode.soft_argmax, or stretched_soft_argmax, for heatmaps of mass 1: (B, K, h, w) float32."""
    h, w = heatmaps_BKhw.shape[-2:]
    steps = [stride * cells / (cells - 1) if stretched else stride for cells in (w, h)]
    first = -0.5 if stretched else (stride - 1) / 2
    x_w, y_h = (
        step * torch.arange(cells, device=heatmaps_BKhw.device) + first
        for step, cells in zip(steps, (w, h), strict=True)
    )
    columns_BKw, rows_BKh = heatmaps_BKhw.sum(dim=-2), heatmaps_BKhw.sum(dim=-1)
    x, y = columns_BKw @ x_w, rows_BKh @ y_h
    # deviations, not raw second moments: float32 loses the small difference of two large squares
    dx_BKw, dy_BKh = x_w - x.unsqueeze(-1), y_h - y.unsqueeze(-1)
    xx = (columns_BKw * dx_BKw**2).sum(-1) + steps[0] ** 2 / 12
    yy = (rows_BKh * dy_BKh**2).sum(-1) + steps[1] ** 2 / 12
    xy = ((heatmaps_BKhw * dx_BKw.unsqueeze(-2)).sum(-1) * dy_BKh).sum(-1)
    return Moments(torch.stack([x, y], -1), torch.stack([xx, xy, yy], -1))


def spread_score(covariance_BK3: Tensor, input_size: int) -> Tensor:
    """As engines.decode.spread_score, from (B, K, 3) xx, xy, yy → (B, K)."""
    trace = covariance_BK3[..., 0] + covariance_BK3[..., 2]
    return 1 - torch.exp(-((SCORE_RADIUS * input_size) ** 2) / trace)
