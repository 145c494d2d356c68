"""Mean squared error of heatmaps, landmarks that are not annotated left out."""

# B batch, K landmarks, h w heatmap rows and columns

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeatmapMseLoss:
    """½ · mean of (weight · (output - target))² over all cells, landmarks and crops: HRNet's JointsMSELoss.

    hardest: count only so many landmarks of each crop, those with the largest error (HRNet's JointsOHKMMSELoss, online
    hard keypoint mining after Chen et al., CVPR 2018); all of them if None.
    """

    hardest: int | None = None

    def __call__(self, output_BKhw: Tensor, target_BKhw: Tensor, weight_BK: Tensor) -> Tensor:
        """Scalar, float32 or better."""
        output = output_BKhw.to(torch.promote_types(output_BKhw.dtype, torch.float32))
        squared_BK = (output - target_BKhw).square().mean((2, 3)) * weight_BK.square()
        if self.hardest is not None:
            squared_BK = squared_BK.topk(self.hardest, dim=1).values
        return 0.5 * squared_BK.mean()
