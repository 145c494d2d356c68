"""The maps of targets.py for a whole batch on its device: points from the same table, edges drawn run by run.

Edges are counted where the maps look: only the middle half of each cell's rows and columns is kept of the drawing. A
line covers one run of pixels in each row, which is looked up; running sums along the rows show which pixels lie under
any run.
"""

# B batch, K landmarks, E edges, M spline knots and H spline segments of all edges, c heatmap cells along a side

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from startrack.tracker.schemes import Edge
from startrack.train.targets.batch_splines import EdgeSplines
from startrack.train.targets.line_table import MARGIN, line_runs
from startrack.train.targets.star import CANVAS_SCALE, RADIUS_PX, SAMPLES, STRIDE, THICKNESS, blob_profiles

LONGEST = 63
"""Canvas pixels of the longest line that the table draws."""
PIECES = 5
"""A longer one is drawn in so many pieces: enough for 79 crop pixels from one sample of a curve to the next."""
BATCH = 32
"""Faces whose edges are drawn at a time; each takes about 1 MB per edge meanwhile."""
_BLOCK = STRIDE * CANVAS_SCALE
_HALF, _QUARTER = _BLOCK // 2, _BLOCK // 4
_ONES, _LOW_BITS = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F


class PointMaps(nn.Module):
    """Landmarks → the blob of each, equal to targets.point_maps."""

    profiles: Tensor

    def __init__(self, input_size: int = 256) -> None:
        super().__init__()
        self.input_size = input_size
        self.register_buffer("profiles", torch.from_numpy(blob_profiles(input_size)), persistent=False)

    def forward(self, landmarks_BK2: Tensor) -> Tensor:
        """(B, K, c, c) float32. landmarks: crop pixels."""
        clipped = landmarks_BK2.float().clamp(0, self.input_size - 1)
        start = (clipped - RADIUS_PX).trunc().long()
        narrow = (clipped + RADIUS_PX + 1).trunc().long() - start < 2 * RADIUS_PX + 1
        profiles_BK2c = self.profiles[narrow.long(), start + int(RADIUS_PX)]
        return profiles_BK2c[:, :, 1, :, None] * profiles_BK2c[:, :, 0, None, :]


class EdgeMaps(nn.Module):
    """Landmarks → the line along each edge, equal to targets.edge_maps but for one cell in a million.

    Of the maps of the 2009 training faces of 300W, augmented, 98 % are equal to the last bit; the mean difference is
    3e-8, the largest 0.094: 6 of the 64 pixels that a cell counts. Maps differ where a curve comes within 2 canvas
    pixels (half a crop pixel) of the crop's border, where OpenCV cuts lines off; where an edge has no spline, and its
    straight lines are drawn in parts here; where a line is longer than LONGEST; and where a point of a curve lies on a
    rounding border to the last bit.
    """

    runs: Tensor

    def __init__(self, edges: Sequence[Edge], input_size: int = 256) -> None:
        super().__init__()
        self.num_edges = len(edges)
        self.input_size = input_size
        self.splines = EdgeSplines(edges)
        self.register_buffer("runs", torch.from_numpy(line_runs(LONGEST, THICKNESS)), persistent=False)

    def forward(self, landmarks_BK2: Tensor) -> Tensor:
        """(B, E, c, c) float32 in steps of 1/64. landmarks: crop pixels."""
        return torch.cat([self._draw(part) for part in torch.split(landmarks_BK2, BATCH)])

    def _draw(self, landmarks_BK2: Tensor) -> Tensor:
        curves_BHs2 = self.splines(landmarks_BK2, SAMPLES).clamp(0, self.input_size - 1)
        starts, ends, used = _pieces((curves_BHs2 * CANVAS_SCALE + 0.5).long())
        rows, first, last, covered = self._runs(starts, ends)
        cells = self.input_size // STRIDE
        batch = torch.arange(len(landmarks_BK2), device=landmarks_BK2.device).view(-1, 1, 1, 1, 1)
        edge = self.splines.edge_of_segment.view(1, -1, 1, 1, 1)
        lines = ((batch * self.num_edges + edge) * cells * _HALF + rows.clamp_max(cells * _HALF - 1)) * cells
        covered = covered & used[..., None] & (rows < cells * _HALF) & (first < last)
        shape = (len(landmarks_BK2), self.num_edges, cells, _HALF, cells)
        return _covered_pixels(lines, first, last, covered, shape).sum(dim=3).float() / _HALF**2

    def _runs(self, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of each line and each row kept that it may cross: the row, first column and the one after the last, both of
        those kept, and whether there is a run."""
        upward = ends[..., 1:] < starts[..., 1:]
        top, bottom = torch.where(upward, ends, starts), torch.where(upward, starts, ends)
        x, y = (bottom - top).clamp(-LONGEST, LONGEST).unbind(dim=-1)
        height = self.runs.shape[2]
        highest = top[..., 1:] - MARGIN
        most = height // _BLOCK * _HALF + min(height % _BLOCK, _HALF)
        rows = _kept_before(highest) + torch.arange(most, device=top.device)
        offset = rows // _HALF * _BLOCK + _QUARTER + rows % _HALF - highest
        place = ((x + LONGEST) * self.runs.shape[1] + y)[..., None] * height + offset.clamp(0, height - 1)
        first, last = self.runs.view(-1, 2)[place].long().unbind(dim=-1)
        covered = (offset < height) & (first < last)
        return rows, _kept_before(top[..., :1] + first), _kept_before(top[..., :1] + last), covered


def _covered_pixels(lines: Tensor, first: Tensor, last: Tensor, covered: Tensor, shape: tuple[int, ...]) -> Tensor:
    """How many of the 8 pixels of each cell in each row are covered by any run: int64 of the shape (..., cells).

    lines: number of the row's first cell; first, last: pixels within the row; covered: runs that count. The 8 pixels'
    counts of runs are the bytes of one word. A run adds 1 to the byte where it begins and takes 1 from the byte behind
    it; times 0x0101…, the word holds the sums from its first byte on, as long as no pixel lies under 256 runs.
    """
    begun = torch.zeros(shape, dtype=torch.int64, device=lines.device)
    steps = torch.zeros(shape, dtype=torch.int64, device=lines.device)
    end = shape[-1] * _HALF
    for pixel, sign, counts in ((first, 1, covered), (last, -1, covered & (last < end))):
        pixel = pixel.clamp_max(end - 1)
        place, change = (lines + pixel // _HALF).flatten(), sign * counts.long()
        begun.view(-1).scatter_add_(0, place, change.flatten())
        steps.view(-1).scatter_add_(0, place, (change << (pixel % _HALF * 8)).flatten())
    # in place: the words of a batch are many
    words = steps.sub_(begun).add_(begun.cumsum(dim=-1)).mul_(_ONES)
    # the highest bit of each byte that is not 0, moved down, then their number in the highest byte
    occupied = (words & _LOW_BITS).add_(_LOW_BITS).bitwise_or_(words).bitwise_right_shift_(7).bitwise_and_(_ONES)
    return occupied.mul_(_ONES).bitwise_right_shift_(56)


def _kept_before(position: Tensor) -> Tensor:
    """How many rows (or columns) of the drawing before a position are kept."""
    within = (position % _BLOCK - _QUARTER).clamp_(0, _HALF)
    return within.add_(position // _BLOCK * _HALF).clamp_min_(0)


def _pieces(points_BHs2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Starts and ends (B, H, samples, PIECES, 2) of the lines between neighbouring points, and which are needed."""
    starts, steps = points_BHs2[:, :, :-1, None], points_BHs2.diff(dim=2)[:, :, :, None]
    number = torch.arange(PIECES + 1, device=points_BHs2.device)[:, None]
    long = steps.abs().amax(dim=-1, keepdim=True) > LONGEST
    shares = (2 * steps * number + PIECES) // (2 * PIECES)
    ends = starts + torch.where(long, shares, steps * number.clamp_max(1))
    return ends[..., :-1, :], ends[..., 1:, :], (long | (number[:-1] == 0)).squeeze(-1)
