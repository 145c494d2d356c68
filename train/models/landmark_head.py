"""The end of every heatmap network as it is run: decoding inside the graph, so that a model file is self-contained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engines.base import ModelSpec
from train.decode import soft_argmax, spread_score


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
        moments = soft_argmax(heatmaps, self.spec.stride)
        presence = output.presence_logit.float().sigmoid()
        score = spread_score(moments.covariance, self.spec.input_size) * presence.unsqueeze(1)
        xx, xy, yy = moments.covariance.unbind(-1)
        covariance = torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)
        return LandmarkOutput(moments.points, covariance, score, presence, heatmaps)
