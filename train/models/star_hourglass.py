"""The network of ADNet and STAR: stacked hourglasses whose heatmaps are masked by predicted points and edges.

Stacked hourglass (Newell et al., ECCV 2016) with coordinate channels (Wang et al., ICCV 2019) and anisotropic attention
(Huang et al., ADNet, ICCV 2021), in the form of the STAR code (Zhou et al., CVPR 2023; ZhenglinZhou/STAR 9b12574).
[DIFF] The published recipe says an hourglass recursion of 3; the code, and so this file, halves the map 4 times.
"""

# B batch, K landmarks, E edges, C channels, h w heatmap rows and columns

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from startrack.train.models.compact_hourglass import Head
from startrack.train.models.coord_conv import CoordConv


class StarOutput(NamedTuple):
    """The network's output for B crops; one entry per stack, the last one the best."""

    heatmaps: list[Tensor]
    """(B, K, h, w), non-negative, any mass: the instance-normalised heatmap times the attention mask."""
    point_maps: list[Tensor]
    """(B, K, h, w), 0..1: a blob at each landmark. Empty without attention."""
    edge_maps: list[Tensor]
    """(B, E, h, w), 0..1: the curves of the scheme. Empty without attention."""

    @property
    def landmarks(self) -> Tensor:
        """(B, K, 2) x, y of the last stack, -1..1 (see centroid)."""
        return centroid(self.heatmaps[-1])


def stretched_grid(cells: int, device: torch.device | None = None) -> Tensor:
    """(cells,) float32 coordinate of each cell, -1 at the first and 1 at the last.

    [TRAP] Labels are normalised by pixel borders instead, (2i + 1) / cells - 1 in cells (train/sets/star_crop.py): up
    to half a cell apart at the map's edge, equal in the middle. The network learns the stretch; kept as published.
    Rounded at each step like theirs: on a peak of one cell's width an exact grid changes the STAR loss by up to 2e-4.
    """
    return torch.arange(cells, dtype=torch.float32, device=device) / (cells - 1) * 2 - 1


def centroid(heatmaps_BKhw: Tensor) -> Tensor:
    """(B, K, 2) x, y: mean of each heatmap as a distribution over stretched_grid, in float32 or better.

    An (almost) empty map is divided by 1e-6, so it gives a point near the middle.
    """
    maps = heatmaps_BKhw.to(torch.promote_types(heatmaps_BKhw.dtype, torch.float32))
    x_w, y_h = (stretched_grid(maps.shape[axis], maps.device).to(maps.dtype) for axis in (-1, -2))
    columns_BKw, rows_BKh = maps.sum(dim=-2), maps.sum(dim=-1)
    mass = rows_BKh.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    # no matrix product: autocast and TF32 would round it
    return torch.stack([(columns_BKw * x_w).sum(dim=-1), (rows_BKh * y_h).sum(dim=-1)], dim=-1) / mass


class Bottleneck(nn.Module):
    """Norm, ReLU and convolution three times (1×1, 3×3, 1×1 at half the width), with a shortcut."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        half = channels_out // 2
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, half, 1)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, half, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, channels_out, 1)
        # the STAR code makes this convolution for equal widths too and never uses it: 3.7 of its 17.2 million weights
        self.skip_layer = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        shortcut: Tensor = self.skip_layer(x)
        return y + shortcut


class Hourglass(nn.Module):
    """Half the size and back, added to the full size; `levels` of them inside each other."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.up1 = Bottleneck(channels, channels)
        self.low1 = Bottleneck(channels, channels)
        self.low2 = Hourglass(channels, levels - 1) if levels > 1 else Bottleneck(channels, channels)
        self.low3 = Bottleneck(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        low: Tensor = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        full: Tensor = self.up1(x)
        return full + F.interpolate(low, scale_factor=2.0, mode="nearest")


class Attention(nn.Module):
    """Landmarks' masks from the edges through them and their own blobs (ADNet's anisotropic attention).

    mask = (sum of the maps of the landmark's edges) · point map; a landmark on no edge counts as on one that is 1
    everywhere. [TRAP] The sum is not normalised: COFW's mouth corners lie on two edges, so their masks reach 2.
    """

    edges_of_point: Tensor
    on_no_edge: Tensor

    def __init__(self, num_landmarks: int, edges: Sequence[Sequence[int]]) -> None:
        super().__init__()
        edges_of_point = torch.zeros(num_landmarks, len(edges), 1, 1)
        for channel, indices in enumerate(edges):
            edges_of_point[list(indices), channel] = 1
        self.register_buffer("edges_of_point", edges_of_point, persistent=False)
        self.register_buffer("on_no_edge", (edges_of_point.sum(dim=(1, 2, 3)) == 0).float(), persistent=False)

    def forward(self, point_maps_BKhw: Tensor, edge_maps_BEhw: Tensor) -> Tensor:
        """(B, K, h, w) masks, in float32 under autocast: bfloat16 would print its steps of 1/256 onto the heatmaps."""
        kind = edge_maps_BEhw.device.type
        if torch.is_autocast_enabled(kind):
            with torch.autocast(kind, enabled=False):
                return self.forward(point_maps_BKhw.float(), edge_maps_BEhw.float())
        return F.conv2d(edge_maps_BEhw, self.edges_of_point, self.on_no_edge) * point_maps_BKhw


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.out_channels)
        self.relu = nn.ReLU()


class Stack(nn.Module):
    """One hourglass and its heads."""

    def __init__(self, channels: int, heads: Mapping[str, int], *, levels: int, entry: CoordConv | None) -> None:
        """heads: number of maps by name. entry: gives the hourglass its coordinates."""
        super().__init__()
        self.entry = entry
        self.hourglass = Hourglass(channels, levels)
        self.features = nn.Sequential(Bottleneck(channels, channels), ConvNorm(nn.Conv2d(channels, channels, 1)))
        self.heads = nn.ModuleDict({name: Head(channels, maps) for name, maps in heads.items()})

    def forward(self, x: Tensor, guide_B1hw: Tensor | None) -> dict[str, Tensor]:
        """The features and, by name, the activated maps: "heatmaps" normalised each for itself and cut at 0, the others
        through a sigmoid."""
        features: Tensor = self.features(self.hourglass(x if self.entry is None else self.entry(x, guide_B1hw)))
        maps = {"features": features}
        for name, head in self.heads.items():
            logits: Tensor = head(features)
            maps[name] = F.relu(F.instance_norm(logits)) if name == "heatmaps" else logits.sigmoid()
        return maps


class Merge(nn.ModuleDict):
    """A stack's output, added to its input."""

    def __init__(self, channels: int, maps: Mapping[str, int]) -> None:
        super().__init__({name: nn.Conv2d(count, channels, 1) for name, count in maps.items()})

    def forward(self, x: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        for name, conv in self.items():
            x = x + conv(maps[name])
        return x


class StarHourglass(nn.Module):
    """Crops → heatmaps, point maps and edge maps of every stack at a quarter of the size."""

    def __init__(
        self,
        num_landmarks: int,
        edges: Sequence[Sequence[int]] = (),
        *,
        stacks: int = 4,
        channels: int = 256,
        stem_channels: int = 64,
        levels: int = 4,
        coordinates: bool = True,
        input_size: int = 256,
    ) -> None:
        """edges: landmarks of each edge channel; none means no attention, heatmaps alone. stem_channels: of the first
        convolution, twice as many follow. levels: halvings within an hourglass. input_size: side of the crops that
        coordinates are kept for; others work too."""
        super().__init__()
        heads = {"heatmaps": num_landmarks, **({"pointmaps": num_landmarks, "edgemaps": len(edges)} if edges else {})}
        thin = stem_channels
        self.stem = nn.Sequential(
            ConvNorm(CoordConv(3, thin, 7, size=input_size, stride=2) if coordinates else nn.Conv2d(3, thin, 7, 2, 3)),
            Bottleneck(thin, 2 * thin),
            nn.MaxPool2d(2),
            Bottleneck(2 * thin, 2 * thin),
            Bottleneck(2 * thin, channels),
        )
        self.stacks = nn.ModuleList(
            Stack(
                channels,
                heads,
                levels=levels,
                entry=CoordConv(channels, channels, size=input_size // 4, guided=stack > 0) if coordinates else None,
            )
            for stack in range(stacks)
        )
        self.merges = nn.ModuleList(Merge(channels, {"features": channels, **heads}) for _ in range(stacks - 1))
        self.attention = Attention(num_landmarks, edges) if edges else None

    def forward(self, images_B3SS: Tensor) -> StarOutput:
        """images: (B, 3, S, S) float, BGR, (value - 127.5) / 127.5; S a multiple of 4 · 2^levels."""
        output = StarOutput([], [], [])
        guide: Tensor | None = None
        x: Tensor = self.stem(images_B3SS)
        for number, stack in enumerate(self.stacks):
            maps: dict[str, Tensor] = stack(x, guide)
            heatmaps = maps["heatmaps"]
            if self.attention is not None:
                output.point_maps.append(maps["pointmaps"])
                output.edge_maps.append(maps["edgemaps"])
                heatmaps = heatmaps * self.attention(maps["pointmaps"], maps["edgemaps"])
            output.heatmaps.append(heatmaps)
            if number < len(self.merges):
                x = self.merges[number](x, maps)
                # [TRAP] the last landmark (chin or pupil) guides the next stack: in Adaptive Wing, where this comes
                # from, the last channel was the boundary map
                guide = maps["heatmaps"][:, -1:].detach()
        return output


class CroppedStarHourglass(StarHourglass):
    """The same network for crops as they are cut."""

    def forward(self, crops_BSS3: Tensor) -> StarOutput:
        """crops: (B, S, S, 3) uint8 BGR."""
        images = crops_BSS3.permute(0, 3, 1, 2).to(next(self.parameters()).dtype)
        return super().forward((images - 127.5) / 127.5)


_OFFICIAL_NAMES = (
    (r"^stem\.", r"pre."),
    (r"^stacks\.(\d+)\.hourglass\.", r"hgs.\1."),
    (r"^stacks\.(\d+)\.entry\.", r"hgs.\1.coordconv.conv."),
    (r"^stacks\.(\d+)\.features\.", r"features.\1."),
    (r"^stacks\.(\d+)\.heads\.(\w+)\.", r"out_\2.\1.conv."),
    (r"^merges\.(\d+)\.(\w+)\.", r"merge_\2.\1.conv."),
    (r"\.(conv[123]|skip_layer)\.", r".\1.conv."),
)
"""Pattern in a key of our state → the same in ZhenglinZhou/STAR's."""


def official_state_dict(network: StarHourglass) -> dict[str, Tensor]:
    """The network's state under the keys of the STAR code, complete for a strict load there: with zeros for the
    shortcut convolutions that it makes but never uses, and the constant matrix of the attention."""
    state = {official_key(key): value for key, value in network.state_dict().items()}
    return {**state, **_unused_state(network), **_attention_state(network)}


def load_official(network: StarHourglass, state: Mapping[str, Tensor]) -> None:
    """Load a state of the STAR code; the inverse of official_state_dict. Its unused shortcut convolutions are dropped.

    Raises ValueError if keys are missing or left over, or if the state belongs to other edges; RuntimeError for shapes.
    """
    constants = _attention_state(network)
    keys = {key: official_key(key) for key in network.state_dict()}
    missing = {*keys.values(), *constants} - set(state)
    unknown = set(state) - {*keys.values(), *constants, *_unused_state(network)}
    if missing or unknown:
        raise ValueError(f"not this network's state: missing {sorted(missing)[:3]}, unknown {sorted(unknown)[:3]}")
    for key, value in constants.items():
        if not torch.equal(state[key].to(value), value):
            raise ValueError(f"{key}: the state was made for other edges than the network")
    network.load_state_dict({ours: state[official] for ours, official in keys.items()}, strict=True)


def official_key(key: str) -> str:
    """The key of one entry of our state in the STAR code's."""
    for pattern, replacement in _OFFICIAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key


def _unused_state(network: StarHourglass) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, Bottleneck) and isinstance(module.skip_layer, nn.Identity):
            channels = module.conv3.out_channels
            for kind, shape in (("weight", (channels, channels, 1, 1)), ("bias", (channels,))):
                key = official_key(f"{name}.skip_layer.{kind}")
                state[key] = module.conv3.weight.new_zeros(shape)
    return state


def _attention_state(network: StarHourglass) -> dict[str, Tensor]:
    if network.attention is None:
        return {}
    return {
        "e2h_transform.weight": network.attention.edges_of_point,
        "e2h_transform.bias": network.attention.on_no_edge,
    }
