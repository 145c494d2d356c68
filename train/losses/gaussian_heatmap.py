"""Heatmap regression with learned covariance: the heatmap's mean is the landmark, its spread the uncertainty.

Integral regression (Sun et al., ECCV 2018) for the mean; the spread is learned through the negative log-likelihood of
a two-dimensional Laplace distribution with the heatmap's own mean and covariance (LUVLi, Kumar et al., CVPR 2020). The
likelihood forgives errors along a direction in which the map is wide (a jaw point slides along the jaw), the plain
distance keeps every point pulled to its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from startrack.train.feed.dataset import FaceBatch
from startrack.train.models.compact_hourglass import HourglassOutput
from startrack.train.models.decode import Moments, soft_argmax

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


class KnownFaces(Protocol):
    """What of a batch is looked at."""

    @property
    def landmarks(self) -> Tensor:
        """(B, K, 2) crop pixels; NaN where a landmark has no place, which then counts nothing."""
        ...

    @property
    def weight(self) -> Tensor:
        """(B,) of the landmarks; 0 where they are unknown."""
        ...


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
        terms = self.of_moments([self.moments(logits) for logits in output.heatmap_logits], batch)
        terms["presence"] = self.of_presence(output.presence_logit, batch.presence)
        return terms

    def of_moments(self, moments: Sequence[Moments], batch: KnownFaces) -> LossTerms:
        """Distance and likelihood of each stack's landmarks."""
        terms: LossTerms = {}
        weight_B1 = (batch.weight / batch.weight.sum().clamp_min(1e-6)).unsqueeze(-1)
        weight_BK = weight_B1 * batch.landmarks.isfinite().all(-1)
        for stack, moment in enumerate(moments):
            factor = math.pow(2.0, stack - len(moments) + 1)
            error = (moment.points - batch.landmarks.nan_to_num()) / self.stride
            distance = smooth_distance(error, self.bend)
            nll = laplace_nll(error, moment.covariance / self.stride**2)
            terms[f"distance{stack}"] = factor * (distance * weight_BK).sum() / distance.shape[1]
            terms[f"nll{stack}"] = factor * self.nll_weight * (nll * weight_BK).sum() / nll.shape[1]
        return terms

    def of_presence(self, logit_B: Tensor, presence_B: Tensor) -> Tensor:
        """Cross-entropy of there being a face."""
        return self.presence_weight * F.binary_cross_entropy_with_logits(logit_B.float(), presence_B)

    def moments(self, logits: Tensor) -> Moments:
        """Softmax and moments in float32, whatever the network ran in."""
        with torch.autocast(logits.device.type, enabled=False):
            heatmaps = logits.float().flatten(2).softmax(-1).view_as(logits)
            return soft_argmax(heatmaps, self.stride)
