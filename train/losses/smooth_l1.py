"""Smooth L1 of a vector's length: the point distance of ADNet and STAR."""

# ... any leading sizes, D components of an error

from __future__ import annotations

import torch
from torch import Tensor


def smooth_l1(squared: Tensor, scale: float = 0.01) -> Tensor:
    """Distance of errors given by their squared lengths d², elementwise: d²/(2s) below s, d - s/2 from there on.

    The lengths of vectors count, not their components: one bend for all directions. (ZhenglinZhou/STAR, SmoothL1Loss;
    the floor of 1e-6 under the root is theirs too. It lies below s² and keeps the branch not taken finite.)
    """
    return torch.where(squared < scale * scale, squared / (2 * scale), squared.clamp_min(1e-6).sqrt() - scale / 2)


def smooth_l1_loss(output_D: Tensor, target_D: Tensor, scale: float = 0.01) -> Tensor:
    """Mean of smooth_l1 over all errors: (..., D) each, scalar."""
    return smooth_l1((output_D - target_D).square().sum(dim=-1), scale).mean()
