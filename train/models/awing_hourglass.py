"""The network of Adaptive Wing: stacked hourglasses of hierarchical blocks whose boundary map guides the next stack.

Stacked hourglass (Newell et al., ECCV 2016) of hierarchical, parallel and multi-scale blocks (Bulat and Tzimiropoulos,
ICCV 2017), with coordinate channels that are also shown along the predicted boundary (Wang et al., ICCV 2019), in the
form of the published evaluation code (protossw512/AdaptiveWingLoss 4b64de5).
"""

# B batch, K landmarks, C channels, S side of the input, h w heatmap rows and columns

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from startrack.train.models.compact_hourglass import Head
from startrack.train.models.coord_conv import CoordConv


class MapOutput(NamedTuple):
    """Output of heatmap regression for B crops."""

    maps: list[Tensor]
    """One (B, C, h, w) per stack, the last one the best: K heatmaps, then whatever else it was trained to show. The
    targets lie in 0..1, predictions may leave it."""


class HierarchicalBlock(nn.Module):
    """Norm, ReLU, 3×3 convolution three times, to a half, a quarter and a quarter of the channels; all three results
    side by side, with a shortcut."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        half, quarter = channels_out // 2, channels_out // 4
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, half, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.downsample: nn.Module = nn.Identity()
        if channels_in != channels_out:
            shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=False)
            self.downsample = nn.Sequential(nn.BatchNorm2d(channels_in), nn.ReLU(), shortcut)

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.conv1(F.relu(self.bn1(x)))
        second: Tensor = self.conv2(F.relu(self.bn2(first)))
        third: Tensor = self.conv3(F.relu(self.bn3(second)))
        shortcut: Tensor = self.downsample(x)
        return torch.cat([first, second, third], dim=1) + shortcut


class Hourglass(nn.Module):
    """Half the size (means of 2×2) and back (nearest), added to the full size; `levels` of them inside each other."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.b1 = HierarchicalBlock(channels, channels)
        self.b2 = HierarchicalBlock(channels, channels)
        self.inner = Hourglass(channels, levels - 1) if levels > 1 else HierarchicalBlock(channels, channels)
        self.b3 = HierarchicalBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        low: Tensor = self.b3(self.inner(self.b2(F.avg_pool2d(x, 2))))
        full: Tensor = self.b1(x)
        return full + F.interpolate(low, scale_factor=2.0, mode="nearest")


class Stack(nn.Module):
    """Coordinates, one hourglass, features and maps."""

    def __init__(self, channels: int, maps: int, *, levels: int, size: int, guided: bool) -> None:
        super().__init__()
        self.entry = CoordConv(channels, channels, size=size, guided=guided)
        self.hourglass = Hourglass(channels, levels)
        self.block = HierarchicalBlock(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        self.head = Head(channels, maps)

    def forward(self, x: Tensor, guide_B1hw: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features and maps."""
        features = F.relu(self.norm(self.conv(self.block(self.hourglass(self.entry(x, guide_B1hw))))))
        return features, self.head(features)


class AwingHourglass(nn.Module):
    """Images → per stack K heatmaps and, last, the boundary map, at a quarter of the size.

    From the second stack on, row and column are shown a second time where the boundary map of the stack before,
    clamped to 0..1, exceeds 0.05. [TRAP] The tensors that the published code returns as "boundary channels" are these
    inputs (the first stack's are column and radius), not predictions: the prediction is the last map.
    [DIFF] Which stacks' maps are supervised, and by how much, the paper's summary does not say: all equally.
    """

    def __init__(
        self, num_landmarks: int, *, stacks: int = 4, channels: int = 256, levels: int = 4, input_size: int = 256
    ) -> None:
        super().__init__()
        maps, half, quarter, size = num_landmarks + 1, channels // 2, channels // 4, input_size // 4
        self.stem_conv = CoordConv(3, quarter, 7, size=input_size, stride=2)
        self.stem_norm = nn.BatchNorm2d(quarter)
        self.stem_blocks = nn.ModuleList(
            HierarchicalBlock(wide, wider) for wide, wider in ((quarter, half), (half, half), (half, channels))
        )
        self.stacks = nn.ModuleList(
            Stack(channels, maps, levels=levels, size=size, guided=number > 0) for number in range(stacks)
        )
        self.merge_features = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(stacks - 1))
        self.merge_maps = nn.ModuleList(nn.Conv2d(maps, channels, 1) for _ in range(stacks - 1))

    def forward(self, images_B3SS: Tensor) -> MapOutput:
        """images: (B, 3, S, S) float RGB, 0..1; S a multiple of 4 · 2^levels."""
        x = F.relu(self.stem_norm(self.stem_conv(images_B3SS)))
        x = F.avg_pool2d(self.stem_blocks[0](x), 2)
        x = self.stem_blocks[2](self.stem_blocks[1](x))
        guide: Tensor | None = None
        output: list[Tensor] = []
        for number, stack in enumerate(self.stacks):
            features, maps = stack(x, guide)
            output.append(maps)
            if number < len(self.merge_maps):
                x = x + self.merge_features[number](features) + self.merge_maps[number](maps)
                guide = maps[:, -1:].detach().clamp(0, 1)
        return MapOutput(output)


def official_key(key: str, *, levels: int = 4) -> str:
    """The key of one entry of our state in protossw512/AdaptiveWingLoss's."""

    def hourglass(match: re.Match[str]) -> str:
        stack, inner, block = match[1], match[2].count("inner."), match[3]
        if block == "inner":
            return f"m{stack}.b2_plus_{levels - inner}."
        return f"m{stack}.{block}_{levels - inner}."

    key = re.sub(r"^stacks\.(\d+)\.hourglass\.((?:inner\.)*?)(b[123]|inner)\.(?!b\d\.|inner\.)", hourglass, key)
    for pattern, replacement in (
        (r"^stem_conv\.", "conv1.conv."),
        (r"^stem_norm\.", "bn1."),
        (r"^stem_blocks\.(\d)\.", lambda match: f"conv{int(match[1]) + 2}."),
        (r"^stacks\.(\d+)\.entry\.", r"m\1.coordconv.conv."),
        (r"^stacks\.(\d+)\.block\.", r"top_m_\1."),
        (r"^stacks\.(\d+)\.conv\.", r"conv_last\1."),
        (r"^stacks\.(\d+)\.norm\.", r"bn_end\1."),
        (r"^stacks\.(\d+)\.head\.", r"l\1."),
        (r"^merge_features\.(\d+)\.", r"bl\1."),
        (r"^merge_maps\.(\d+)\.", r"al\1."),
    ):
        key = re.sub(pattern, replacement, key)
    return key


def load_official(network: AwingHourglass, state: Mapping[str, Tensor]) -> None:
    """Load a state of the published code, e.g. of its WFLW weights.

    Raises ValueError if keys are missing or left over, RuntimeError for shapes.
    """
    keys = {key: official_key(key) for key in network.state_dict()}
    if missing := set(keys.values()) ^ set(state):
        raise ValueError(f"not this network's state: missing or unknown {sorted(missing)[:3]}")
    network.load_state_dict({ours: state[official] for ours, official in keys.items()}, strict=True)
