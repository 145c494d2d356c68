"""The end of every heatmap network as it is run: decoding inside the graph, so that a model file is self-contained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from startrack.engines.base import ModelSpec
from startrack.train.models.decode import soft_argmax, spread_score


class LandmarkOutput(NamedTuple):
    """engines.base.LandmarkBatch as tensors, in crop pixels."""

    points: Tensor
    """(B, K, 2)."""
    covariance: Tensor
    """(B, K, 2, 2)."""
    score: Tensor
    """(B, K)."""
    presence: Tensor
    """(B,)."""
    heatmaps: Tensor
    """(B, K, h, w), each of mass 1."""


class SoftmaxLandmarks(nn.Module):
    """A network of heatmap logits and presence (train.models.compact_hourglass) → landmarks."""

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec

    def forward(self, crops: Tensor) -> LandmarkOutput:
        """crops: (B, S, S, 3) uint8."""
        output = self.network(crops)
        logits = output.heatmap_logits[-1].float()
        heatmaps = logits.flatten(2).softmax(-1).view_as(logits)
        presence = output.presence_logit.float().sigmoid()
        return read_heatmaps(heatmaps, presence, self.spec)


class StarLandmarks(nn.Module):
    """A network of masked heatmaps (train.models.star_hourglass) → landmarks: those of its last stack.

    [TRAP] A map that the attention shuts out almost everywhere, of a mass of 1e-5 where others have 10 and more, is
    decoded like any other. ONNX Runtime's sigmoid is good to 1e-7 of 1, not of such a value, so it gives another point.
    """

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec

    def forward(self, crops: Tensor) -> LandmarkOutput:
        """crops: (B, S, S, 3) uint8 BGR."""
        maps = self.network(crops).heatmaps[-1].float()
        # an empty map is spread evenly, as in engines/decode.py: the middle of the crop, with a score near 0
        maps = torch.where(maps.sum(dim=(-2, -1), keepdim=True) > 1e-6, maps, 1.0)
        heatmaps = maps / maps.sum(dim=(-2, -1), keepdim=True)
        return read_heatmaps(heatmaps, heatmaps.new_ones(heatmaps.shape[0]), self.spec)


def read_heatmaps(heatmaps_BKhw: Tensor, presence_B: Tensor, spec: ModelSpec) -> LandmarkOutput:
    """Heatmaps of mass 1, decoded as the specification says."""
    moments = soft_argmax(heatmaps_BKhw, spec.stride, stretched=spec.decoder == "stretched_soft_argmax")
    score = spread_score(moments.covariance, spec.input_size) * presence_B.unsqueeze(1)
    xx, xy, yy = moments.covariance.unbind(-1)
    covariance = torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)
    return LandmarkOutput(moments.points, covariance, score, presence_B, heatmaps_BKhw)
