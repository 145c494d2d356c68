"""The whole loss of a STAR training: heatmaps, point maps and edge maps of every stack, 12 terms for 4 stacks."""

# B batch, K landmarks, E edges, h w heatmap rows and columns

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from startrack.train.losses.awing import AdaptiveWingLoss
from startrack.train.losses.star import StarLoss
from startrack.train.models.star_hourglass import StarOutput

LossTerms = dict[str, Tensor]


class StarTargets(Protocol):
    """What of a batch the loss reads (train/targets/star.py)."""

    @property
    def landmarks(self) -> Tensor:
        """(B, K, 2) x, y in -1..1."""
        ...

    @property
    def point_maps(self) -> Tensor:
        """(B, K, h, w) 0..1."""
        ...

    @property
    def edge_maps(self) -> Tensor:
        """(B, E, h, w) 0..1."""
        ...

    @property
    def weight(self) -> Tensor:
        """(B,) factor of each face's loss."""
        ...


@dataclass(frozen=True)
class StackedStarLoss:
    """For stack s of S, 2^(s - S + 1) times: STAR of the heatmaps + 10 · AWing of the point maps + 10 · AWing of the
    edge maps (lib/utility.py of the STAR code). A network without attention has the first term only.

    STAR takes the masked heatmaps by their own centroid; the network's coordinates are not part of the loss. Each term
    is the mean over the batch's faces of their weighted losses: a face of weight 0.1 counts a tenth of another one,
    whatever else is in the batch, and the loss of a batch is the mean of those of its parts.
    """

    heatmaps: StarLoss = field(default_factory=StarLoss)
    maps: AdaptiveWingLoss = field(default_factory=AdaptiveWingLoss)
    maps_weight: float = 10.0

    def __call__(self, output: StarOutput, targets: StarTargets) -> LossTerms:
        """Named terms star0, points0, edges0, star1, …, each a scalar; their sum is the loss."""
        stacks = len(output.heatmaps)
        attention = len(output.point_maps) > 0
        points = self.maps.prepare(targets.point_maps, targets.weight) if attention else None
        edges = self.maps.prepare(targets.edge_maps, targets.weight) if attention else None
        terms: LossTerms = {}
        stars = self.heatmaps.of_stacks(output.heatmaps, targets.landmarks, targets.weight).unbind()
        for stack, star in enumerate(stars):
            factor = 2.0 ** (stack - stacks + 1)
            terms[f"star{stack}"] = factor * star
            if points is not None and edges is not None:
                weight = factor * self.maps_weight
                terms[f"points{stack}"] = weight * self.maps(output.point_maps[stack], points)
                terms[f"edges{stack}"] = weight * self.maps(output.edge_maps[stack], edges)
        return terms
