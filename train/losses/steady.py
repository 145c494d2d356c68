"""A loss for readings that do not tremble: of two views of a face they must differ by what moved, and by nothing else.

The error of a network's landmark has a part that stays from frame to frame, which nobody sees, and one that changes
with the noise of the picture and the place of the crop, which is seen as trembling. The true landmarks say nothing of
the second on its own. Agreement of two changed views as a second term: Sajjadi et al., NeurIPS 2016; of landmarks of
neighbouring frames: Dong et al., CVPR 2018 (supervision by registration).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from startrack.train.feed.two_views import TwoViews
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss, LossTerms, smooth_distance
from startrack.train.models.compact_hourglass import HourglassOutput


@dataclass(frozen=True)
class SteadyLoss:
    """GaussianHeatmapLoss of both views, and the distance of the last stack's readings of the two."""

    stride: int
    weight: float = 1.0
    """Of that distance, in heatmap cells."""
    bend: float = 0.03
    """Cells below which it turns quadratic."""
    truth: GaussianHeatmapLoss = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", GaussianHeatmapLoss(self.stride))

    def __call__(self, output: HourglassOutput, batch: TwoViews) -> LossTerms:
        """Named terms, each a scalar; their sum is the loss."""
        faces = batch.as_faces()
        moments = [self.truth.moments(logits) for logits in output.heatmap_logits]
        terms = self.truth.of_moments(moments, faces)
        terms["presence"] = self.truth.of_presence(output.presence_logit, faces.presence)
        terms["unsteady"] = self.weight * self.between_views(moments[-1].points, batch)
        return terms

    def between_views(self, points_VK2: Tensor, batch: TwoViews) -> Tensor:
        """Mean distance, in heatmap cells, of the second view's landmarks from the first's, moved as the face was.
        points_VK2: of both views of each item in turn, crop pixels."""
        first, second = points_VK2[::2], points_VK2[1::2]
        linear, shift = batch.motion[..., :2], batch.motion[..., 2]
        expected = first @ linear.transpose(1, 2) + shift.unsqueeze(1)
        distance = smooth_distance((second - expected) / self.stride, self.bend)
        share_B1 = (batch.presence / batch.presence.sum().clamp_min(1e-6)).unsqueeze(1)
        return (distance * share_B1).sum() / distance.shape[1]
