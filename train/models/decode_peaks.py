"""Heatmaps of regressed blobs → cells: the highest cell, moved by a quarter or to the top of a fitted Gaussian.

The torch twins of engines.decode's quarter_offset and dark, exportable, with the variants of the published codes:
HRNet (leoxiaobin 6f69e46), DARK (Zhang et al., CVPR 2020) and UDP (Huang et al., CVPR 2020) as in mmpose 1.x.
"""

# B batch, K landmarks, h w heatmap rows and columns, n neighbours

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

CROSS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Neighbours x, y: the cell itself, right, left, below, above."""
CORNERS = ((1, 1), (-1, -1), (1, -1), (-1, 1))
FAR = ((2, 0), (-2, 0), (0, 2), (0, -2))


class Peaks(NamedTuple):
    """The highest cell of each heatmap."""

    cells: Tensor
    """(B, K, 2) x, y, whole numbers; 0, 0 where nothing exceeds 0, as in the HRNet code."""
    values: Tensor
    """(B, K)."""


def find_peaks(maps_BKhw: Tensor) -> Peaks:
    """The first of equal cells, row by row."""
    width = maps_BKhw.shape[-1]
    values, index = maps_BKhw.flatten(2).max(-1)
    index = torch.where(values > 0, index, 0)
    return Peaks(torch.stack([index % width, index // width], -1), values)


def quarter_offset(maps_BKhw: Tensor, peaks: Peaks, *, first: int = 1) -> Tensor:
    """(B, K, 2) cells: a quarter towards the larger neighbour on either axis, where both axes have neighbours.

    first: the first row and column that counts as having them, 1 in Adaptive Wing's and HRNet's face code, 2 in HRNet's
    pose code; the last is always the last but one.
    """
    _, right, left, below, above = _neighbours(maps_BKhw, peaks.cells, CROSS)
    slope = torch.stack([right - left, below - above], -1)
    moved = _inside(peaks.cells, maps_BKhw, first, 2)
    return peaks.cells + 0.25 * torch.sign(slope) * moved.unsqueeze(-1)


def dark(maps_BKhw: Tensor, peaks: Peaks, *, kernel: int = 11, max_step: float | None = None) -> Tensor:
    """(B, K, 2) cells: the top of the parabola through the logarithm of the smoothed map (DARK's Taylor step).

    maps: values of 0 or more. kernel: side of the Gaussian that smooths, 11 for targets of sigma 2, 17 for 3. max_step:
    largest move per axis in cells; None as published, where a flat peak can send a landmark anywhere.
    """
    smooth = smoothed(maps_BKhw, kernel).clamp_min(1e-10).log()
    near = _neighbours(smooth, peaks.cells, (*CROSS, *CORNERS, *FAR))
    centre, right, left, below, above, se, nw, ne, sw, right2, left2, below2, above2 = near
    slope = (0.5 * (right - left), 0.5 * (below - above))
    xx, yy = 0.25 * (right2 - 2 * centre + left2), 0.25 * (below2 - 2 * centre + above2)
    step = _newton_step(slope, (xx, 0.25 * (se + nw - ne - sw), yy))
    step = torch.where(_inside(peaks.cells, maps_BKhw, 2, 3).unsqueeze(-1), step, 0)
    return peaks.cells + (step if max_step is None else step.clamp(-max_step, max_step))


def dark_udp(maps_BKhw: Tensor, peaks: Peaks, *, kernel: int = 11) -> Tensor:
    """(B, K, 2) cells: as dark, with second differences over three cells and borders repeated, as UDP has it.

    The cells are UDP's: the first and the last lie on the middles of the crop's first and last pixel
    (train.targets.cells.INTERVALS).
    """
    logs = F.pad(smoothed(maps_BKhw, kernel).clamp(1e-3, 50.0).log(), (1, 1, 1, 1), mode="replicate")
    centre, right, left, below, above, se, nw = _neighbours(logs, peaks.cells + 1, (*CROSS, *CORNERS[:2]))
    slope = (0.5 * (right - left), 0.5 * (below - above))
    mixed = 0.5 * (se - right - below + centre + centre - left - above + nw)
    tiny = torch.finfo(torch.float32).eps
    curvature = (right - 2 * centre + left + tiny, mixed, below - 2 * centre + above + tiny)
    return peaks.cells + _newton_step(slope, curvature)


def smoothed(maps_BKhw: Tensor, kernel: int) -> Tensor:
    """(B, K, h, w) through OpenCV's Gaussian of that side, nothing outside the map, each as high as it was before."""
    weights = torch.from_numpy(cv2.getGaussianKernel(kernel, 0)).to(maps_BKhw)
    maps_N1hw = maps_BKhw.flatten(0, 1).unsqueeze(1)
    rows = F.conv2d(maps_N1hw, weights.view(1, 1, 1, -1), padding=(0, kernel // 2))
    smooth = F.conv2d(rows, weights.view(1, 1, -1, 1), padding=(kernel // 2, 0)).view_as(maps_BKhw)
    height, lowered = (maps.flatten(2).amax(-1)[..., None, None] for maps in (maps_BKhw, smooth))
    return smooth * (height / lowered.clamp_min(torch.finfo(maps_BKhw.dtype).tiny))


def flip_back(maps_BKhw: Tensor, flip_order: Sequence[int], *, shift: bool = False) -> Tensor:
    """(B, K, h, w) heatmaps of mirrored crops → of the crops themselves; its own inverse without shift.

    shift: one column to the right, the first one kept, as HRNet's test does: there a cell starts at its pixel, and the
    mirror of cell x is w - x, not w - 1 - x. Our cells lie in the middle of their pixels and need none.
    """
    flipped = maps_BKhw.flip(-1)[:, list(flip_order)]
    return torch.cat([flipped[..., :1], flipped[..., :-1]], -1) if shift else flipped


def _neighbours(maps_BKhw: Tensor, cells_BK2: Tensor, offsets: Sequence[tuple[int, int]]) -> tuple[Tensor, ...]:
    """The map's values (B, K) at each offset from the cells, those outside taken at the border."""
    height, width = maps_BKhw.shape[-2:]
    x, y = cells_BK2.unsqueeze(-2).unbind(-1)
    dx, dy = torch.tensor(offsets, device=maps_BKhw.device).unbind(-1)
    index_BKn = (y + dy).clamp(0, height - 1) * width + (x + dx).clamp(0, width - 1)
    return maps_BKhw.flatten(2).gather(-1, index_BKn).unbind(-1)


def _inside(cells_BK2: Tensor, maps_BKhw: Tensor, first: int, from_end: int) -> Tensor:
    """(B, K) whether first ≤ cell ≤ n - from_end on both axes."""
    height, width = maps_BKhw.shape[-2:]
    x, y = cells_BK2.unbind(-1)
    return (x >= first) & (x <= width - from_end) & (y >= first) & (y <= height - from_end)


def _newton_step(slope: tuple[Tensor, Tensor], curvature: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """(B, K, 2) -H⁻¹g; 0 where H cannot be inverted."""
    (gx, gy), (xx, xy, yy) = slope, curvature
    determinant = xx * yy - xy * xy
    solvable = determinant != 0
    safe = torch.where(solvable, determinant, 1)
    step = torch.stack([xy * gy - yy * gx, xy * gx - xx * gy], -1) / safe.unsqueeze(-1)
    return torch.where(solvable.unsqueeze(-1), step, 0)
