"""A stacked hourglass for the CPU: full 3×3 convolutions at small resolutions, all batch norms folded away at run time.

Stacked hourglass after Newell et al. (ECCV 2016) with basic residual blocks (He et al., CVPR 2016). On a CPU full
convolutions at 32×32 and below run at several times the arithmetic rate of depthwise ones or of 1×1 bottlenecks, and a
batch norm after each convolution costs nothing once it is folded into it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HourglassOutput(NamedTuple):
    """The network's output for B crops."""

    heatmap_logits: list[Tensor]
    """One (B, K, h, w) per stack, the last one the best; softmax over the cells gives the heatmap."""
    presence_logit: Tensor
    """(B,) logit of the probability that the crop shows a face."""


def conv_norm(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm, same size at stride 1."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


class Residual(nn.Module):
    """Two 3×3 convolutions with a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1, *, inner: float = 1.0) -> None:
        """inner: channels between the two convolutions over those that come out."""
        super().__init__()
        between = round(inner * channels_out)
        self.first = conv_norm(channels_in, between, stride=stride)
        self.second = conv_norm(between, channels_out)
        same = channels_in == channels_out and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(channels_in, channels_out, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class Hourglass(nn.Module):
    """Down to the smallest map and up again, with a lateral addition at each size."""

    def __init__(self, widths: Sequence[int], inner: float = 1.0) -> None:
        """widths: channels at each size, the largest map first; each further entry halves the map. inner: see
        Residual."""
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(Residual(wide, deep, stride=2, inner=inner) for wide, deep in pairs)
        self.bottom = Residual(widths[-1], widths[-1], inner=inner)
        self.lift = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in pairs)
        self.up = nn.ModuleList(Residual(wide, wide, inner=inner) for wide in widths[:-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) → the same shape, and the smallest map."""
        laterals: list[Tensor] = []
        for down in self.down:
            laterals.append(x)
            x = down(x)
        x = bottom = self.bottom(x)
        for lift, up, lateral in zip(reversed(self.lift), reversed(self.up), reversed(laterals), strict=True):
            x = up(F.interpolate(lift(x), scale_factor=2.0, mode="nearest") + lateral)
        return x, bottom


class Head(nn.Conv2d):
    """A 1×1 convolution to heatmap logits that stays in float32 under autocast: a logit of 10 in bfloat16 is only good
    to 0.03, and the softmax turns that into noise on the landmark."""

    def __init__(self, channels: int, num_landmarks: int) -> None:
        super().__init__(channels, num_landmarks, 1)

    def forward(self, features: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(features.device.type):
            return super().forward(features)
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class CompactHourglass(nn.Module):
    """uint8 crops → heatmap logits at a quarter of the size, and whether there is a face at all."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_landmarks: int,
        *,
        stacks: int = 2,
        widths: Sequence[int] = (64, 96, 128, 128),
        stem_width: int = 32,
        inner: float = 1.0,
        mean: Sequence[float] = (127.5, 127.5, 127.5),
        std: Sequence[float] = (127.5, 127.5, 127.5),
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.stem = nn.Sequential(
            conv_norm(3, stem_width, stride=2),
            nn.ReLU(),
            conv_norm(stem_width, widths[0], stride=2),
            nn.ReLU(),
            Residual(widths[0], widths[0], inner=inner),
        )
        self.hourglasses = nn.ModuleList(Hourglass(widths, inner) for _ in range(stacks))
        self.heads = nn.ModuleList(Head(widths[0], num_landmarks) for _ in range(stacks))
        self.merges = nn.ModuleList(nn.Conv2d(num_landmarks, widths[0], 1) for _ in range(stacks - 1))
        self.presence = nn.Linear(widths[-1] * stacks, 1)

    def forward(self, crops: Tensor) -> HourglassOutput:
        """crops: (B, S, S, 3) uint8, S a multiple of 32; or (B, V, S, S, 3), V views of each item, which are taken as
        B·V crops."""
        if crops.ndim == 5:
            crops = crops.flatten(0, 1)
        x = self.stem((crops.permute(0, 3, 1, 2).float() - self.mean) / self.std)
        logits: list[Tensor] = []
        bottoms: list[Tensor] = []
        for stack, hourglass in enumerate(self.hourglasses):
            features, bottom = hourglass(x)
            logits.append(self.heads[stack](features))
            bottoms.append(bottom.mean(dim=(2, 3)))
            if stack < len(self.merges):
                x = x + features + self.merges[stack](logits[-1])
        return HourglassOutput(logits, self.presence(torch.cat(bottoms, dim=1)).squeeze(1))
