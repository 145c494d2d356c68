"""Crops and landmarks of a whole batch by one warp each: mirror, plain crop, turn, scale and shift together.

The same as star_crop.py and star_augment.py do one by one, with matrices in float64 and pixels in float32.
"""

# B batch, K landmarks, S side of the crop, P side of the picture

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from startrack.train.augment.batch_draws import StarDraws


class Warp(NamedTuple):
    """From the plain crop of each face to the one that is shown."""

    linear: Tensor
    """(B, 2, 2) float64, turn and scale about the crop's middle."""
    shifts: Tensor
    """(B, 2) float64 x, y, of the crop's side less one pixel."""
    mirrored: Tensor
    """(B,) bool, before all else."""


def drawn_warp(draws: StarDraws) -> Warp:
    """Turn, scale, shift and mirror as drawn."""
    cos, sin = draws.scales * torch.cos(draws.angles_rad), draws.scales * torch.sin(draws.angles_rad)
    return Warp(torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2), draws.shifts, draws.mirrored)


def plain_warp(count: int, device: torch.device) -> Warp:
    """The plain crops themselves."""
    linear = torch.eye(2, dtype=torch.float64, device=device).expand(count, 2, 2)
    return Warp(linear, linear.new_zeros(count, 2), torch.zeros(count, dtype=torch.bool, device=device))


def warp_landmarks(landmarks_BK2: Tensor, rois_B3: Tensor, warp: Warp, *, flip_order_K: Tensor, size: int) -> Tensor:
    """(B, K, 2) float64 crop pixels; may lie outside. landmarks and ROIs (centre x, y, side): pixels of the picture."""
    offsets = landmarks_BK2 - rois_B3[:, None, :2]
    turned = torch.stack([-offsets[..., 0], offsets[..., 1]], dim=-1)[:, flip_order_K]
    offsets = torch.where(warp.mirrored[:, None, None], turned, offsets) * (size / rois_B3[:, 2])[:, None, None]
    x, y = offsets.unbind(dim=-1)
    a, b, c, d = warp.linear.flatten(1)[..., None].unbind(dim=1)
    return torch.stack([a * x + b * y, c * x + d * y], dim=-1) + _middle(warp, size)[:, None]


def warp_pictures(pictures_BPP3: Tensor, rois_B3: Tensor, warp: Warp, *, mirror_offsets_B: Tensor, size: int) -> Tensor:
    """(B, 3, S, S) uint8 crops, bilinear, black outside the pictures.

    pictures: uint8; ROIs as in warp_landmarks. mirror_offsets: how much too far to the left a mirrored picture is read,
    in its pixels ([TRAP] of star_augment.mirror; 0 but for COFW).
    """
    inverse = _inverse(warp.linear) * (rois_B3[:, 2] / size)[:, None, None]
    sign = torch.where(warp.mirrored, -1.0, 1.0).double()
    inverse = torch.stack([inverse[:, 0] * sign[:, None], inverse[:, 1]], dim=1)
    start = rois_B3[:, :2] - (inverse * _middle(warp, size)[:, None]).sum(dim=-1)
    start[:, 0] -= torch.where(warp.mirrored, mirror_offsets_B, 0.0)
    # crop pixel u, v → inverse @ (u, v) + start → -1..1 by pixel borders; no matrix product: it may be rounded to TF32
    side = pictures_BPP3.shape[1]
    steps, first = (2 / side * inverse).float(), (2 / side * (start + 0.5) - 1).float()
    pixels = torch.arange(size, dtype=torch.float32, device=pictures_BPP3.device)
    grid = first[:, None, None] + steps[:, None, None, :, 0] * pixels[None, None, :, None]
    grid = grid + steps[:, None, None, :, 1] * pixels[None, :, None, None]
    pictures = pictures_BPP3.permute(0, 3, 1, 2).float()
    crops = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return crops.round_().to(torch.uint8)


def _middle(warp: Warp, size: int) -> Tensor:
    """(B, 2) where the crop's middle is moved."""
    return (size - 1) / 2 + warp.shifts * (size - 1)


def _inverse(linear_B22: Tensor) -> Tensor:
    """(B, 2, 2); a scale of 0 has no inverse, and gives zeros."""
    a, b, c, d = linear_B22.flatten(1).unbind(dim=1)
    determinant = a * d - b * c
    inverse = torch.stack([d, -b, -c, a], dim=1) / torch.where(determinant == 0, torch.inf, determinant)[:, None]
    return inverse.view(-1, 2, 2)
