"""The changes of texture of star_augment.py for a whole batch, each crop by its own draws, without a look at the host.

Every change is computed for every crop and kept where it was drawn: choosing crops would make the device wait. Crops
are those of the functions one by one, but for one grey level where a float32 product of the noise is truncated, and in
box filters of side 2, 4 and 8, where OpenCV rounds some values up that lie just below the middle.
"""

# B batch, S side of the crop, P padded side

from __future__ import annotations

import torch
from torch import Tensor

from startrack.train.augment.batch_draws import StarDraws

BLUR = 0.05
"""Largest side of the box filter, of the crop's."""
GREY_WEIGHTS, GREY_BITS = (9798, 19235, 3735), 15
"""0.299, 0.587 and 0.114 as OpenCV has them, for the first, second and third channel (BGR: a [TRAP], see grey)."""


def change_textures(crops_B3SS: Tensor, draws: StarDraws) -> Tensor:
    """(B, 3, S, S) uint8 → the same, in the order of the STAR code."""
    crops = occlude(crops_B3SS, draws.occlusion_draws, draws.occluded)
    crops = blur(crops, draws.blur_draws, draws.blurred)
    crops = change_gamma(crops, draws.gamma_draws, draws.gamma_changed)
    crops = blend_noise(crops, draws.noise_shares, draws.noise.permute(0, 3, 1, 2), draws.noisy)
    return grey(crops, draws.greyed)


def occlude(crops_B3SS: Tensor, draws_B4: Tensor, chosen_B: Tensor) -> Tensor:
    """A black rectangle by the draws of its height, width, centre's x and y."""
    size = crops_B3SS.shape[-1]
    height = 0.2 + (0.8 - 0.2) * draws_B4[:, 0]
    width = height - 0.2 + 0.4 * draws_B4[:, 1]
    inside = chosen_B[:, None, None]
    for extent, draw, shape in ((width, draws_B4[:, 2], (-1, 1, size)), (height, draws_B4[:, 3], (-1, size, 1))):
        half = (size / 2 * extent).long() // 2
        distance = (torch.arange(size, device=draws_B4.device) - ((size - 1) * draw).long()[:, None]).abs()
        inside = inside & (distance <= half[:, None]).view(shape)
    return crops_B3SS.masked_fill(inside[:, None], 0)


def blur(crops_B3SS: Tensor, draws_B: Tensor, chosen_B: Tensor) -> Tensor:
    """A box filter of 0 to 5 % of the crop's side, whose window is the difference of two running sums per axis."""
    size = crops_B3SS.shape[-1]
    sides = torch.where(chosen_B, (size * BLUR * draws_B).long(), 1).clamp_min(1)
    margin = int(size * BLUR) // 2 + 1
    # mirrored at the border without repeating it, as OpenCV does
    around = torch.arange(-margin, size + margin, device=crops_B3SS.device).abs()
    around = (size - 1) - ((size - 1) - around).abs()
    first = torch.arange(size, device=sides.device) + margin - sides[:, None] // 2
    sums = crops_B3SS.int()
    for axis, shape in ((3, (-1, 1, 1, size)), (2, (-1, 1, size, 1))):
        running = sums.index_select(axis, around).cumsum(dim=axis, dtype=torch.int32)
        low, high = ((first + step).view(shape).expand(sums.shape) for step in (-1, sides[:, None] - 1))
        sums = running.gather(axis, high) - running.gather(axis, low)
    area = (sides * sides).int().view(-1, 1, 1, 1)
    return ((sums + area // 2) // area).to(torch.uint8)


def change_gamma(crops_B3SS: Tensor, draws_B2: Tensor, chosen_B: Tensor) -> Tensor:
    """Brighter or darker (first draw) by an exponent (second draw), through a table per crop."""
    brighter = draws_B2[:, 0] < 0.5
    exponent = torch.where(brighter, 0.25 + 0.75 * draws_B2[:, 1], 1.0 + 3.0 * draws_B2[:, 1])
    values = torch.arange(256, dtype=torch.float64, device=draws_B2.device)
    curves_B256 = (values / 255) ** exponent[:, None] * 255
    curves_B256 = torch.where(chosen_B[:, None], curves_B256, values).to(torch.uint8)
    starts = 256 * torch.arange(len(curves_B256), dtype=torch.int32, device=draws_B2.device)
    places = crops_B3SS.int() + starts.view(-1, 1, 1, 1)
    return curves_B256.flatten().index_select(0, places.flatten()).view(crops_B3SS.shape)


def blend_noise(crops_B3SS: Tensor, shares_B: Tensor, noise_B3SS: Tensor, chosen_B: Tensor) -> Tensor:
    """(1 - share) of the crop and share of the noise, truncated."""
    share = torch.where(chosen_B, shares_B, 0.0).float().view(-1, 1, 1, 1)
    return ((1 - share) * crops_B3SS + share * noise_B3SS).to(torch.uint8)


def grey(crops_B3SS: Tensor, chosen_B: Tensor) -> Tensor:
    """Three equal channels."""
    first, second, third = (
        channel.int() * weight for channel, weight in zip(crops_B3SS.unbind(dim=1), GREY_WEIGHTS, strict=True)
    )
    level = (first + second + third + (1 << (GREY_BITS - 1))) >> GREY_BITS
    return torch.where(chosen_B.view(-1, 1, 1, 1), level[:, None].to(torch.uint8), crops_B3SS)
