"""The loss of an eye network: distances of points, and how well each stated spread fits the errors at hand.

A covariance learns from errors that it does not change (their gradient is cut), so that a point is not given up where
it is uncertain, as a plain Gaussian likelihood does (Seitzer et al., ICLR 2022, on its pitfalls).
"""

# B batch, P points

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from startrack.train.models.eye_net import POINTS, RADIUS, SPREAD, EyeOutput


@dataclass(frozen=True, slots=True)
class EyeLoss:
    """A Recipe.loss for train.models.eye_net and train.feed.eye_dataset."""

    knee_px: float = 0.7
    """Error of a point where smooth L1 turns from square to straight."""
    furthest_px: float = 8.0
    """Errors beyond it count as so large for the covariances: a wrong label is no uncertainty."""
    point_weight: float = 0.3
    spread_weight: float = 0.05
    radius_weight: float = 2.0
    visible_weight: float = 0.3
    openness_weight: float = 2.0
    gaze_weight: float = 15.0

    def __call__(self, output: EyeOutput, batch: Any) -> dict[str, Tensor]:
        """batch: train.feed.eye_dataset.EyeItem."""
        size = len(batch.crops)
        away_BP2 = output.points - batch.points
        points = F.smooth_l1_loss(away_BP2, torch.zeros_like(away_BP2), beta=self.knee_px, reduction="none").sum(-1)
        radius_B, visible_B, openness_B = batch.singles.unbind(1)
        visible = F.binary_cross_entropy_with_logits(output.logits[:, 0], visible_B, reduction="none")
        opened = F.smooth_l1_loss(output.logits[:, 1].sigmoid(), openness_B, beta=0.05, reduction="none")
        radius = F.smooth_l1_loss(output.logs[:, RADIUS], radius_B.clamp(min=0.1).log(), beta=0.1, reduction="none")
        radius_weight, visible_weight, openness_weight = batch.single_weight.unbind(1)
        # squared chord: 2 − 2 cos of the angle between both
        chord_B3 = output.gaze - batch.gaze
        gaze = F.smooth_l1_loss(chord_B3, torch.zeros_like(chord_B3), beta=0.1, reduction="none").sum(-1)
        return {
            "points": self.point_weight * (points * batch.point_weight).sum() / size,
            "spread": self.spread_weight * (self._spread(output, away_BP2) * batch.point_weight).sum() / size,
            "gaze": self.gaze_weight * (gaze * batch.gaze_weight).sum() / size,
            "gaze_spread": self.spread_weight * (gaze_likelihood(output, batch) * batch.gaze_weight).sum() / size,
            "radius": self.radius_weight * (radius * radius_weight).sum() / size,
            "visible": self.visible_weight * (visible * visible_weight).sum() / size,
            "openness": self.openness_weight * (opened * openness_weight).sum() / size,
        }

    def _spread(self, output: EyeOutput, away_BP2: Tensor) -> Tensor:
        """(B, P) negative log-likelihood of the points' errors."""
        away = away_BP2.detach()
        length = away.square().sum(-1, keepdim=True).sqrt()
        away = away * (self.furthest_px / length.clamp(min=self.furthest_px))
        log_a, log_b, c = output.logs[:, :POINTS], output.logs[:, POINTS:SPREAD], output.mixed
        # L⁻¹ e for L = [[a, 0], [c b, b]]
        first = away[..., 0] * (-log_a).exp()
        second = away[..., 1] * (-log_b).exp() - c * first
        return 0.5 * (first.square() + second.square()) + log_a + log_b


def gaze_likelihood(output: EyeOutput, batch: Any) -> Tensor:
    """(B,) negative log-likelihood of the angle between both directions, as of a normal error in two axes."""
    log_spread = output.logs[:, SPREAD]
    squared: Tensor = (output.gaze - batch.gaze).square().sum(-1).detach()
    return 0.5 * squared * (-2 * log_spread).exp() + 2 * log_spread
