"""A student's loss: the truth where it is known, and everywhere the mean and the covariance of a teacher's heatmaps.

Knowledge distillation (Hinton et al., 2015) for heatmaps, by their first two moments: these do not depend on the size
of the map, so a student of another resolution can learn them, and they are all that is read from a map in the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from startrack.train.feed.teacher import DistillationBatch
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss, LossTerms, smooth_distance
from startrack.train.models.compact_hourglass import HourglassOutput
from startrack.train.models.decode import Moments


def covariance_divergence(teacher_BK22: Tensor, covariance_BK3: Tensor) -> Tensor:
    """(B, K) Kullback-Leibler divergence of two normal distributions of the same mean, from the teacher's covariance
    to the student's (xx, xy, yy): ½ (tr Σₛ⁻¹Σₜ - 2 + ln |Σₛ| / |Σₜ|); 0 where they are equal."""
    xx, xy, yy = covariance_BK3.unbind(-1)
    txx, txy, tyy = teacher_BK22[..., 0, 0], teacher_BK22[..., 0, 1], teacher_BK22[..., 1, 1]
    ours = (xx * yy - xy * xy).clamp_min(1e-6)
    theirs = (txx * tyy - txy * txy).clamp_min(1e-6)
    trace = (yy * txx - 2 * xy * txy + xx * tyy) / ours
    return 0.5 * (trace - 2 + (ours / theirs).log())


@dataclass(frozen=True)
class DistillationLoss:
    """GaussianHeatmapLoss on the true landmarks, and the same stacks drawn to the teacher's answer for every face."""

    stride: int
    truth: GaussianHeatmapLoss = field(init=False)
    mean_weight: float = 1.0
    spread_weight: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", GaussianHeatmapLoss(self.stride))

    def __call__(self, output: HourglassOutput, batch: DistillationBatch) -> LossTerms:
        """Named terms, each a scalar; their sum is the loss."""
        moments = [self.truth.moments(logits) for logits in output.heatmap_logits]
        terms = self.truth.of_moments(moments, batch)
        terms["presence"] = self.truth.of_presence(output.presence_logit, batch.presence)
        share_B1 = (batch.presence / batch.presence.sum().clamp_min(1e-6)).unsqueeze(-1)
        for stack, moment in enumerate(moments):
            mean, spread = self._distillation(moment, batch, share_B1)
            factor = math.pow(2.0, stack - len(moments) + 1)
            terms[f"teacher_mean{stack}"] = factor * self.mean_weight * mean
            terms[f"teacher_spread{stack}"] = factor * self.spread_weight * spread
        return terms

    def _distillation(self, moments: Moments, batch: DistillationBatch, share_B1: Tensor) -> tuple[Tensor, Tensor]:
        """Mean distance in heatmap cells, and mean divergence."""
        error = (moments.points - batch.teacher_points) / self.stride
        distance = smooth_distance(error, self.truth.bend)
        cell = self.stride**2
        divergence = covariance_divergence(batch.teacher_covariance / cell, moments.covariance / cell)
        # a teacher that shuts its eyes to an occluder would else pull without bound
        divergence = torch.log1p(divergence.clamp_min(0))
        landmarks = distance.shape[1]
        return (distance * share_B1).sum() / landmarks, (divergence * share_B1).sum() / landmarks
