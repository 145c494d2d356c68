"""HRNet: branches of different resolution side by side, joined again and again (Sun et al., CVPR 2019).

Two forms with the names of their published codes, so that published weights load: for bodies (leoxiaobin
6f69e46: nearest up-sampling, the last module gives the finest branch alone, a head of one 1×1 convolution) and for
faces, HRNetV2 (HRNet-Facial-Landmark-Detection f776dbe: bilinear up-sampling, a head on all branches side by side).
"""

# B batch, K landmarks, C channels, h w heatmap rows and columns

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from startrack.train.models.awing_hourglass import MapOutput
from startrack.train.models.compact_hourglass import Head, conv_norm

STEM_CHANNELS = 64
BOTTLENECK_CHANNELS = 256


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions, four times as wide at the end, with a shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        same = channels_in == 4 * channels
        self.downsample: nn.Module = nn.Identity() if same else conv_norm(channels_in, 4 * channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class Upsampler(Protocol):
    """How a coarse branch joins a finer one."""

    def __call__(self, channels_in: int, channels_out: int, scale: int) -> nn.Module:
        """A module (B, channels_in, h, w) → (B, channels_out, scale·h, scale·w)."""
        ...


def interpolating(mode: str) -> Upsampler:
    """1×1 convolution and norm, then nearest or bilinear interpolation."""

    def make(channels_in: int, channels_out: int, scale: int) -> nn.Module:
        align = None if mode == "nearest" else False
        grow = nn.Upsample(scale_factor=scale, mode=mode, align_corners=align)
        return conv_norm(channels_in, channels_out, kernel=1).append(grow)

    return make


class ExchangeModule(nn.Module):
    """Some blocks on each branch, then every branch as the sum of all of them, brought to its size."""

    def __init__(self, widths: Sequence[int], *, blocks: int, outputs: int, upsampler: Upsampler) -> None:
        """widths: channels of the branches, the finest first. outputs: how many of them, from the finest, go on."""
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bridge(widths, source, target, upsampler) for source in range(len(widths)))
            for target in range(outputs)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        own = [branch(each) for branch, each in zip(self.branches, maps, strict=True)]
        joined = []
        for bridges in self.fuse_layers:
            assert isinstance(bridges, nn.ModuleList)
            total = bridges[0](own[0])
            for bridge, each in zip(bridges[1:], own[1:], strict=True):
                total = total + bridge(each)
            joined.append(F.relu(total))
        return joined


def _bridge(widths: Sequence[int], source: int, target: int, upsampler: Upsampler) -> nn.Module:
    """From one branch to another: up in one step, down in steps of two with a ReLU between."""
    if source == target:
        return nn.Identity()
    if source > target:
        return upsampler(widths[source], widths[target], 2 ** (source - target))
    steps = [conv_norm(widths[source], widths[source], stride=2).append(nn.ReLU()) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv_norm(widths[source], widths[target], stride=2))


class HRNet(nn.Module):
    """Images → K heatmaps at a quarter of the size."""

    def __init__(
        self,
        num_landmarks: int,
        *,
        width: int = 32,
        modules: Sequence[int] = (1, 4, 3),
        blocks: int = 4,
        all_branches: bool = False,
        upsampler: Upsampler | None = None,
    ) -> None:
        """width: channels of the finest branch, 18, 32 or 48 in the papers; each coarser one has twice as many.

        modules: how many exchange modules in stages 2, 3 and 4. blocks: on each branch of each module. all_branches:
        the face form, else the body form. upsampler: in place of the form's interpolation.
        """
        super().__init__()
        upsampler = upsampler or interpolating("bilinear" if all_branches else "nearest")
        widths = [width * 2**branch for branch in range(4)]
        self.conv1 = nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        inputs = [STEM_CHANNELS, *[BOTTLENECK_CHANNELS] * 3]
        self.layer1 = nn.Sequential(*(Bottleneck(channels, BOTTLENECK_CHANNELS // 4) for channels in inputs))
        before = [BOTTLENECK_CHANNELS]
        for stage in (2, 3, 4):
            self.add_module(f"transition{stage - 1}", _transition(before, widths[:stage]))
            before, outputs = widths[:stage], [stage] * modules[stage - 2]
            if stage == 4 and not all_branches:
                outputs[-1] = 1
            exchange = (ExchangeModule(before, blocks=blocks, outputs=each, upsampler=upsampler) for each in outputs)
            self.add_module(f"stage{stage}", nn.Sequential(*exchange))
        self.all_branches = all_branches
        if all_branches:
            channels = sum(widths)
            conv = nn.Conv2d(channels, channels, 1)
            self.head = nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU(), Head(channels, num_landmarks))
        else:
            self.final_layer = Head(width, num_landmarks)
        _initialise(self, momentum=0.01 if all_branches else 0.1)

    def forward(self, images_B3HW: Tensor) -> MapOutput:
        """images: (B, 3, H, W) float RGB, normalised by ImageNet's mean and deviation; H and W multiples of 32."""
        x = F.relu(self.bn1(self.conv1(images_B3HW)))
        maps: list[Tensor] = [self.layer1(F.relu(self.bn2(self.conv2(x))))]
        for stage in (2, 3, 4):
            entry: Callable[[list[Tensor]], list[Tensor]] = getattr(self, f"transition{stage - 1}")
            maps = self.run_modules(stage, entry(maps))
        if not self.all_branches:
            return MapOutput([self.final_layer(maps[0])])
        size = maps[0].shape[-2:]
        wide = [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in maps[1:]]
        return MapOutput([self.head(torch.cat([maps[0], *wide], dim=1))])

    def run_modules(self, stage: int, maps: list[Tensor]) -> list[Tensor]:
        """All exchange modules of a stage."""
        result: list[Tensor] = getattr(self, f"stage{stage}")(maps)
        return result


class Transition(nn.ModuleList):
    """The branches of a stage from those of the one before: a new one, half the size of the coarsest."""

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        return [layer(maps[min(branch, len(maps) - 1)]) for branch, layer in enumerate(self)]


def _transition(before: Sequence[int], after: Sequence[int]) -> Transition:
    layers: list[nn.Module] = []
    for branch, width in enumerate(after):
        if branch >= len(before):
            layers.append(nn.Sequential(conv_norm(before[-1], width, stride=2).append(nn.ReLU())))
        elif before[branch] != width:
            layers.append(conv_norm(before[branch], width).append(nn.ReLU()))
        else:
            layers.append(nn.Identity())
    return Transition(layers)


def _initialise(network: nn.Module, *, momentum: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
