"""Heatmap regression with learned covariance: the heatmap's mean is the landmark, its spread the uncertainty.

Integral regression (Sun et al., ECCV 2018) for the mean; the spread is learned through the negative log-likelihood of
a two-dimensional Laplace distribution with the heatmap's own mean and covariance (LUVLi, Kumar et al., CVPR 2020). The
likelihood forgives errors along a direction in which the map is wide (a jaw point slides along the jaw), the plain
distance keeps every point pulled to its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from train.data.dataset import FaceBatch
from train.decode import Moments, soft_argmax
from train.models.compact_hourglass import HourglassOutput

LossTerms = dict[str, Tensor]


def laplace_nll(error_BK2: Tensor, covariance_BK3: Tensor) -> Tensor:
    """(B, K) negative log-likelihood of a 2-D Laplace distribution, without its constant:
    ½ ln|Σ| + √(3 eᵀΣ⁻¹e). Errors and the root of Σ (xx, xy, yy) in the same unit."""
    xx, xy, yy = covariance_BK3.unbind(-1)
    ex, ey = error_BK2.unbind(-1)
    determinant = (xx * yy - xy * xy).clamp_min(1e-6)
    mahalanobis = (yy * ex * ex - 2 * xy * ex * ey + xx * ey * ey) / determinant
    return 0.5 * determinant.log() + (3 * mahalanobis + 1e-4).sqrt()


def smooth_distance(error_BK2: Tensor, bend: float) -> Tensor:
    """(B, K) length of the error, rounded off below about `bend`: √(|e|² + bend²) - bend."""
    return (error_BK2.square().sum(-1) + bend * bend).sqrt() - bend


@dataclass(frozen=True)
class GaussianHeatmapLoss:
    """Sum over stacks of distance and likelihood, and the cross-entropy of face presence.

    All lengths are in heatmap cells. Stack s of S counts 2^(s - S + 1), as in STAR.
    """

    stride: int
    bend: float = 0.15
    """Cells below which the distance turns quadratic."""
    nll_weight: float = 0.15
    presence_weight: float = 0.2

    def __call__(self, output: HourglassOutput, batch: FaceBatch) -> LossTerms:
        """Named terms, each a scalar; their sum is the loss."""
        stacks = len(output.heatmap_logits)
        terms: LossTerms = {}
        weight_B1 = (batch.weight / batch.weight.sum().clamp_min(1e-6)).unsqueeze(-1)
        for stack, logits in enumerate(output.heatmap_logits):
            factor = math.pow(2.0, stack - stacks + 1)
            moments = self._moments(logits)
            error = (moments.points - batch.landmarks) / self.stride
            distance = smooth_distance(error, self.bend)
            nll = laplace_nll(error, moments.covariance / self.stride**2)
            terms[f"distance{stack}"] = factor * (distance * weight_B1).sum() / distance.shape[1]
            terms[f"nll{stack}"] = factor * self.nll_weight * (nll * weight_B1).sum() / nll.shape[1]
        presence = F.binary_cross_entropy_with_logits(output.presence_logit.float(), batch.presence)
        terms["presence"] = self.presence_weight * presence
        return terms

    def _moments(self, logits: Tensor) -> Moments:
        """Softmax and moments in float32, whatever the network ran in."""
        with torch.autocast(logits.device.type, enabled=False):
            heatmaps = logits.float().flatten(2).softmax(-1).view_as(logits)
            return soft_argmax(heatmaps, self.stride)
