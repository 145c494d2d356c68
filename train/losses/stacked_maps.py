"""The losses of networks of heatmap regression: every stack's maps against the same targets."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from startrack.train.feed.heatmap_dataset import HeatmapBatch
from startrack.train.losses.awing import AdaptiveWingLoss
from startrack.train.losses.heatmap_mse import HeatmapMseLoss
from startrack.train.models.awing_hourglass import MapOutput


@dataclass(frozen=True)
class StackedAwingLoss:
    """Adaptive Wing with its weighted loss map on every stack, landmarks and boundary, all stacks counting 1.

    [DIFF] How much boundary and stacks count, the paper's summary does not say. Maps of landmarks that are not
    annotated are left out.
    """

    loss: AdaptiveWingLoss = field(default_factory=AdaptiveWingLoss)

    def __call__(self, output: MapOutput, batch: HeatmapBatch) -> dict[str, Tensor]:
        """Named terms, each a mean over the batch; their sum is the loss."""
        prepared = self.loss.prepare(batch.maps)
        counts = (batch.weight > 0)[..., None, None]
        # an exact hit costs nothing and pulls nowhere
        compared = (torch.where(counts, maps, batch.maps.to(maps.dtype)) for maps in output.maps)
        return {f"awing{stack}": self.loss(maps, prepared) for stack, maps in enumerate(compared)}


@dataclass(frozen=True)
class StackedMseLoss:
    """HRNet's loss on every stack's maps."""

    loss: HeatmapMseLoss = field(default_factory=HeatmapMseLoss)

    def __call__(self, output: MapOutput, batch: HeatmapBatch) -> dict[str, Tensor]:
        """Named terms, each a mean over the batch; their sum is the loss."""
        return {f"mse{stack}": self.loss(maps, batch.maps, batch.weight) for stack, maps in enumerate(output.maps)}
