"""The random numbers of a batch's augmentation, with STAR's distributions (train/augment/star_augment.py)."""

# B batch, S side of the crop

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from startrack.train.augment.batch_random import normal, random_bytes, uniform
from startrack.train.augment.star_augment import StarAugmentation


@dataclass(frozen=True, slots=True, eq=False)
class StarDraws:
    """What happens to each crop of a batch; "draws" are uniform in 0..1, used as the function of the same name in
    train/augment/star_augment.py uses them."""

    mirrored: Tensor
    """(B,) bool."""
    shifts: Tensor
    """(B, 2) float64 x, y, of the crop's side less one pixel."""
    angles_rad: Tensor
    """(B,) float64."""
    scales: Tensor
    """(B,) float64."""
    occluded: Tensor
    """(B,) bool, like blurred, gamma_changed, noisy and greyed."""
    occlusion_draws: Tensor
    """(B, 4) float64."""
    blurred: Tensor
    blur_draws: Tensor
    """(B,) float64."""
    gamma_changed: Tensor
    gamma_draws: Tensor
    """(B, 2) float64."""
    noisy: Tensor
    noise_shares: Tensor
    """(B,) float64, 0 to 0.5."""
    noise: Tensor
    """(B, S, S, 3) uint8."""
    greyed: Tensor


_GEOMETRY, _CHANCES, _DETAILS, _NOISE = 0, 4, 10, 18
"""Number of the first word for each kind of draw; the noise takes all that follow."""


def draw_augmentation(keys_B: Tensor, augmentation: StarAugmentation, size: int) -> StarDraws:
    """keys: (B,) int64 of sample_keys; size: side of the crop. All on the keys' device."""
    chances = uniform(keys_B, _CHANCES, _DETAILS - _CHANCES)
    limits = [getattr(augmentation, name) for name in ("mirror", "occlusion", "blur", "gamma", "noise", "grey")]
    mirrored, occluded, blurred, gamma_changed, noisy, greyed = (
        chance < limit for chance, limit in zip(chances.unbind(dim=1), limits, strict=True)
    )
    shift_x, shift_y, angle, scale = normal(uniform(keys_B, _GEOMETRY, _CHANCES - _GEOMETRY)).unbind(dim=1)
    details = uniform(keys_B, _DETAILS, _NOISE - _DETAILS)
    return StarDraws(
        mirrored=mirrored,
        shifts=torch.stack([shift_x, shift_y], dim=1) * augmentation.shift,
        angles_rad=angle * augmentation.rotation_rad,
        scales=1 + scale * augmentation.scale,
        occluded=occluded,
        occlusion_draws=details[:, 0:4],
        blurred=blurred,
        blur_draws=details[:, 4],
        gamma_changed=gamma_changed,
        gamma_draws=details[:, 5:7],
        noisy=noisy,
        noise_shares=0.5 * details[:, 7],
        noise=random_bytes(keys_B, _NOISE, size * size * 3).view(-1, size, size, 3),
        greyed=greyed,
    )
