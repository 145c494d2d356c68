"""The curves of targets.edge_curve through all edges of a whole batch: one linear system per face."""

# B batch, K landmarks, E edges, M knots (points of all edges, a closed one's first one twice), H segments between

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from startrack.tracker.schemes import Edge
from startrack.train.targets.star import spline_equations


class EdgeSplines(nn.Module):
    """Interpolating cubic splines through the edges of a scheme; equal to targets.edge_curve to 1e-9 pixels.

    The equations of all edges lie below each other in one system, whose matrix is linear in the segments' lengths.
    """

    landmark_of_knot: Tensor
    """(M,)."""
    first_knot: Tensor
    """(H,) knot at which a segment begins; it ends at the next one."""
    edge_of_segment: Tensor
    """(H,)."""
    system: Tensor
    """(H, M · M) what each segment's length adds to the matrix."""
    constant: Tensor
    """(M, M) the rest of it."""
    differences: Tensor
    """(M, H) right sides by the segments' slopes."""
    bendable: Tensor
    """(E,) whether the edge has points enough."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        super().__init__()
        paths = [(*edge.indices, edge.indices[0]) if edge.closed else edge.indices for edge in edges]
        knots, segments = sum(map(len, paths)), sum(len(path) - 1 for path in paths)
        system = torch.zeros(segments, knots, knots, dtype=torch.float64)
        constant = torch.zeros(knots, knots, dtype=torch.float64)
        differences = torch.zeros(knots, segments, dtype=torch.float64)
        first_knot, edge_of_segment = list[int](), list[int]()
        knot = 0
        for number, (edge, path) in enumerate(zip(edges, paths, strict=True)):
            count, segment = len(path), len(first_knot)
            here, there = slice(knot, knot + count), slice(segment, segment + count - 1)
            if count < 4:
                constant[here, here] = torch.eye(count, dtype=torch.float64)
            else:
                lengths, fixed, slopes = map(torch.from_numpy, spline_equations(count, edge.closed))
                system[there, here, here] = lengths.view(-1, count, count)
                constant[here, here], differences[here, there] = fixed, slopes
            first_knot += range(knot, knot + count - 1)
            edge_of_segment += [number] * (count - 1)
            knot += count
        constants = {
            "landmark_of_knot": torch.tensor([index for path in paths for index in path]),
            "first_knot": torch.tensor(first_knot),
            "edge_of_segment": torch.tensor(edge_of_segment),
            "system": system.flatten(1),
            "constant": constant,
            "differences": differences,
            "bendable": torch.tensor([len(path) >= 4 for path in paths]),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, landmarks_BK2: Tensor, samples: int) -> Tensor:
        """(B, H, samples + 1, 2) float64 points of each segment, both its ends included.

        An edge with too few points, or two equal ones in a row, runs straight from point to point.
        """
        knots_BM2 = landmarks_BK2.double().nan_to_num()[:, self.landmark_of_knot]
        left, right = knots_BM2[:, self.first_knot], knots_BM2[:, self.first_knot + 1]
        lengths_BH = (right - left).square().sum(dim=-1).sqrt()
        edges_BHE = self.edge_of_segment[:, None] == torch.arange(len(self.bendable), device=left.device)
        totals_BE = torch.where(edges_BHE, lengths_BH[..., None], 0.0).sum(dim=1)
        smallest_BE = torch.where(edges_BHE, lengths_BH[..., None], torch.inf).amin(dim=1)
        bent_BH = (self.bendable & (smallest_BE > 0))[:, self.edge_of_segment]
        h_BH1 = torch.where(bent_BH, lengths_BH / totals_BE[:, self.edge_of_segment], 1.0)[..., None]
        bends_BM2 = self._bends(h_BH1, (right - left) / h_BH1)
        squares = torch.where(bent_BH[..., None], h_BH1.square() / 6, 0.0)[:, :, None]
        t = torch.arange(samples + 1, dtype=torch.float64, device=left.device)[:, None] / samples
        s = 1 - t
        first, second = bends_BM2[:, self.first_knot, None], bends_BM2[:, self.first_knot + 1, None]
        curve = s * left[:, :, None] + t * right[:, :, None]
        bent: Tensor = curve + ((s**3 - s) * first + (t**3 - t) * second) * squares
        return bent

    def _bends(self, h_BH1: Tensor, slopes_BH2: Tensor) -> Tensor:
        """(B, M, 2) second derivatives at the knots."""
        matrices = (h_BH1.squeeze(-1) @ self.system).view(-1, *self.constant.shape) + self.constant
        # solve would wait for the device to report whether it succeeded
        bends, _ = torch.linalg.solve_ex(matrices, self.differences @ slopes_BH2)
        finite: Tensor = bends.nan_to_num()
        return finite
