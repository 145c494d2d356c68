"""A small hourglass that reads one eye: seven heatmaps for lids and iris, and numbers of the whole crop.

Points are the means of their heatmaps. Covariances, the iris's radius, whether it can be seen, openness and gaze come
from a few numbers of the smallest map, with the points and the spread of their heatmaps: an eye's gaze is where its
iris lies between its lids, and more. Mostly full 3×3 convolutions, as train.models.compact_hourglass has them.
"""

# B batch, P points (six of the lids, the iris's centre), h w heatmap

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from startrack.train.models.compact_hourglass import Head, Hourglass, Residual, conv_norm

POINTS = 7
"""Six of the lids, then the iris's centre."""
STRIDE = 4
"""Crop pixels per heatmap cell."""
SPREAD, RADIUS = 2 * POINTS, 2 * POINTS + 1
"""Of EyeOutput.logs, behind the points' factors."""
LOGS = 2 * POINTS + 2
LOGITS, GAZE, NUMBERS = LOGS + POINTS, LOGS + POINTS + 2, LOGS + POINTS + 5
"""Where each field of EyeOutput begins among the numbers that the last layer gives, and how many these are."""
LEAST_LOG, MOST_LOG = -4.0, 4.0
"""Of standard deviations and radius, pixels and radians."""
START_RADIUS = 8.0
"""Crop pixels: the answer of an untrained network."""


class EyeOutput(NamedTuple):
    """The network's output for B eyes, crop pixels."""

    points: Tensor
    """(B, 7, 2)."""
    logs: Tensor
    """(B, 16) of each point log a, then of each log b, for its covariance's factor L = [[a, 0], [c b, b]], Σ = L Lᵀ;
    of the gaze's standard deviation across it, radians; of the iris's radius."""
    mixed: Tensor
    """(B, 7) c of each point."""
    logits: Tensor
    """(B, 2) of the iris's visibility, of the openness."""
    gaze: Tensor
    """(B, 3) of length 1."""


class EyeNet(nn.Module):
    """uint8 crops → EyeOutput."""

    mean: Tensor
    std: Tensor
    places: Tensor
    size: Tensor
    offset: Tensor
    """(NUMBERS,) added to the last layer's numbers: where a training begins, and the calibration of spreads."""

    def __init__(
        self,
        width: int,
        height: int,
        *,
        stem: int = 16,
        widths: Sequence[int] = (32, 48, 64),
        inner: int = 20,
        hidden: int = 48,
    ) -> None:
        """width, height: of the crops, multiples of 16 for three widths. widths: channels at strides 4, 8, 16. inner:
        channels of the smallest map that the whole crop is read from; hidden: numbers between them and the results."""
        super().__init__()
        smallest = STRIDE * 2 ** (len(widths) - 1)
        if width % smallest or height % smallest:
            raise ValueError(f"crops of {width} × {height}; expected multiples of {smallest}")
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 127.5))
        self.register_buffer("offset", torch.zeros(NUMBERS))
        columns, rows = width // STRIDE, height // STRIDE
        self.register_buffer("places", cell_places(columns, rows), persistent=False)
        self.register_buffer("size", torch.tensor([width, height], dtype=torch.float32), persistent=False)
        self.stem = nn.Sequential(
            conv_norm(3, stem, stride=2),
            nn.ReLU(),
            conv_norm(stem, widths[0], stride=2),
            nn.ReLU(),
            Residual(widths[0], widths[0]),
        )
        self.hourglass = Hourglass(widths)
        self.head = Head(widths[0], POINTS)
        self.squeeze = nn.Sequential(conv_norm(widths[-1], inner, kernel=1), nn.ReLU())
        cells = (width // smallest) * (height // smallest)
        self.first = nn.Linear(inner * cells + 3 * POINTS, hidden)
        self.last = nn.Linear(hidden, NUMBERS)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.bias)
        self.offset[RADIUS] = math.log(START_RADIUS)
        self.offset[-1] = -1.0  # an eye that looks into the camera

    def forward(self, crops: Tensor) -> EyeOutput:
        """crops: (B, H, W, 3) uint8."""
        x = self.stem((crops.permute(0, 3, 1, 2).float() - self.mean) / self.std)
        features, bottom = self.hourglass(x)
        heatmaps_BPn = self.head(features).float().flatten(2).softmax(-1)
        moments_BP3 = heatmaps_BPn @ self.places
        points_BP2 = moments_BP3[..., :2]
        spread_BP = moments_BP3[..., 2] - points_BP2.square().sum(-1)
        # what the points say of the rest must not move them
        half = self.size / 2
        known = torch.cat([(points_BP2 / half - 1).flatten(1), spread_BP.clamp(min=0.01).log() / 4], dim=1).detach()
        whole = torch.cat([self.squeeze(bottom).float().flatten(1), known], dim=1)
        told = self.last(torch.relu(self.first(whole))) + self.offset
        logs_BN = told[:, :LOGS].clamp(LEAST_LOG, MOST_LOG)
        gaze = told[:, GAZE:]
        gaze = gaze / gaze.square().sum(1, keepdim=True).clamp(min=1e-6).sqrt()
        return EyeOutput(points_BP2, logs_BN, told[:, LOGS:LOGITS], told[:, LOGITS:GAZE], gaze)


class EyeReadings(NamedTuple):
    """engines.eyes.EyeBatch as tensors."""

    lids: Tensor
    lid_covariance: Tensor
    iris: Tensor
    iris_radius: Tensor
    iris_covariance: Tensor
    iris_visible: Tensor
    openness: Tensor
    gaze: Tensor
    gaze_spread_rad: Tensor


class DeployedEyes(nn.Module):
    """The network as it is exported."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> EyeReadings:
        """crops: (B, H, W, 3) uint8."""
        output = self.network(crops)
        sizes_BN = output.logs.exp()
        covariance_BP22 = covariance(sizes_BN[:, :POINTS], sizes_BN[:, POINTS:SPREAD], output.mixed)
        chances = output.logits.sigmoid()
        return EyeReadings(
            lids=output.points[:, :-1],
            lid_covariance=covariance_BP22[:, :-1],
            iris=output.points[:, -1],
            iris_radius=sizes_BN[:, RADIUS],
            iris_covariance=covariance_BP22[:, -1],
            iris_visible=chances[:, 0],
            openness=chances[:, 1],
            gaze=output.gaze,
            gaze_spread_rad=sizes_BN[:, SPREAD],
        )


def covariance(a_BP: Tensor, b_BP: Tensor, c_BP: Tensor) -> Tensor:
    """(..., 2, 2) of the factors that EyeOutput.logs and mixed describe."""
    mixed = c_BP * b_BP
    xy = a_BP * mixed
    flat_BP4 = torch.stack([a_BP * a_BP, xy, xy, mixed * mixed + b_BP * b_BP], -1)
    return flat_BP4.view(*a_BP.shape, 2, 2)


def cell_places(columns: int, rows: int) -> Tensor:
    """(rows · columns, 3) x, y and x² + y² of the cells' centres, crop pixels: their means under a heatmap are the
    point and, less its own square, the heatmap's spread."""
    x = (torch.arange(columns) + 0.5) * STRIDE - 0.5
    y = (torch.arange(rows) + 0.5) * STRIDE - 0.5
    grid = torch.stack([x.expand(rows, columns), y.unsqueeze(1).expand(rows, columns)], dim=-1).reshape(-1, 2)
    return torch.cat([grid, grid.square().sum(-1, keepdim=True)], dim=1)
