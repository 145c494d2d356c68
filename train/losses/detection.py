"""The loss of a detector of squares: quality focal loss of the scores, GIoU of the squares, eyes.

Scores after generalised focal loss (Li et al., NeurIPS 2020): the target of a face's cell is how well its square fits.
Squares after generalised IoU (Rezatofighi et al., CVPR 2019). Cells are assigned as in FCOS with centre sampling (Tian
et al., ICCV 2019), each map having its range of sizes; neighbouring ranges overlap, so that no size is on an edge.
"""

# B pictures, N cells of all maps, M faces (padded), I ignored squares (padded)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from startrack.train.models.face_detector import DetectorOutput, cell_centres

SIDE_RANGE = (2.5, 7.0)
"""Sides in strides that a map is responsible for; the first map takes all smaller faces too, the last all larger."""
CENTRE_STRIDES = 1.5
CENTRE_SIDES = 0.3
"""A face's cells lie within so many strides, and so much of its side, of its centre in x and y; the nearest always."""


class Cells(NamedTuple):
    """The cells of all maps, for pictures of one size."""

    centres: Tensor
    """(N, 2) picture pixels."""
    strides: Tensor
    """(N,) pixels."""
    low: Tensor
    """(N,) smallest side of a face, pixels."""
    high: Tensor
    """(N,) largest."""


class Assignment(NamedTuple):
    """Which cell is to find which face."""

    face: Tensor
    """(B, N) row of the face, meaningful where positive."""
    positive: Tensor
    """(B, N)."""
    negative: Tensor
    """(B, N) False too where nothing is known."""


def make_cells(rows: int, columns: int, strides: Sequence[int], device: torch.device) -> Cells:
    """rows, columns: the picture's, multiples of the last stride."""
    centres = [cell_centres(rows // stride, columns // stride, stride, device) for stride in strides]
    parts = []
    for level, (stride, grid) in enumerate(zip(strides, centres, strict=True)):
        low = SIDE_RANGE[0] * stride if level else 0.0
        high = SIDE_RANGE[1] * stride if level < len(strides) - 1 else float("inf")
        parts.append(torch.tensor([stride, low, high], device=device).expand(len(grid), 3))
    return Cells(torch.cat(centres), *torch.cat(parts).unbind(1))


def assign(cells: Cells, squares_BM3: Tensor, ignored_BI3: Tensor) -> Assignment:
    """A cell that two faces want goes to the smaller one. Padding has side 0."""
    squares_BM3, ignored_BI3 = _without_padding(squares_BM3), _without_padding(ignored_BI3)
    side_BM1 = squares_BM3[..., 2:]
    distance_BMN = _distance(squares_BM3, cells)
    reach_BMN = torch.minimum(CENTRE_STRIDES * cells.strides, CENTRE_SIDES * side_BM1)
    reach_BMN = torch.maximum(reach_BMN, 0.5 * cells.strides)
    fits_BMN = (side_BM1 > 0) & (side_BM1 >= cells.low) & (side_BM1 <= cells.high)
    target_BMN = fits_BMN & (distance_BMN <= reach_BMN)
    target_side_BMN = torch.where(target_BMN, side_BM1, float("inf"))
    smallest_BN, face_BN = target_side_BMN.min(dim=1)
    positive_BN = smallest_BN.isfinite()
    inside_BIN = _distance(ignored_BI3, cells) <= ignored_BI3[..., 2:] / 2
    unknown_BN = (inside_BIN & (ignored_BI3[..., 2:] > 0)).any(dim=1)
    return Assignment(face_BN, positive_BN, ~positive_BN & ~unknown_BN)


def _without_padding(squares_BM3: Tensor) -> Tensor:
    """The first rows, as many as the fullest picture needs: most pictures have few of them, and each costs time."""
    count = int((squares_BM3[..., 2] > 0).sum(dim=1).max())
    return squares_BM3[:, : max(count, 1)]


def _distance(squares_BM3: Tensor, cells: Cells) -> Tensor:
    """(B, M, N) the larger of the distances in x and y from a square's centre to a cell's, pixels."""
    x_BMN, y_BMN = ((squares_BM3[..., axis, None] - cells.centres[:, axis]).abs_() for axis in (0, 1))
    return torch.maximum(x_BMN, y_BMN)


def square_overlap(first_P3: Tensor, second_P3: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU of pairs of squares (centre x, y, side), (P,) each."""
    apart_P2 = (first_P3[:, :2] - second_P3[:, :2]).abs()
    side_P1, other_P1 = first_P3[:, 2:], second_P3[:, 2:]
    shorter_P1, longer_P1 = torch.minimum(side_P1, other_P1), torch.maximum(side_P1, other_P1)
    reach_P2 = (side_P1 + other_P1) / 2
    intersection_P = torch.minimum(shorter_P1, reach_P2 - apart_P2).clamp(min=0).prod(dim=1)
    hull_P = torch.maximum(longer_P1, reach_P2 + apart_P2).prod(dim=1)
    union_P = (side_P1**2 + other_P1**2).squeeze(1) - intersection_P
    iou_P = intersection_P / union_P
    return iou_P, iou_P - (hull_P - union_P) / hull_P


@dataclass(frozen=True, slots=True)
class DetectionLoss:
    """A Recipe.loss for train.models.face_detector and train.feed.detection_dataset."""

    strides: tuple[int, ...]
    focus: float = 2.0
    square_weight: float = 2.0
    eye_weight: float = 4.0
    eye_knee: float = 0.05
    """Of the face's side: the eyes' error where smooth L1 turns from square to straight."""

    def __call__(self, output: DetectorOutput, batch: Any) -> dict[str, Tensor]:
        """batch: train.feed.detection_dataset.PictureBatch."""
        rows, columns = batch.pictures.shape[1:3]
        cells = make_cells(rows, columns, self.strides, output.logits.device)
        assigned = assign(cells, batch.squares, batch.ignored)
        picture_P, cell_P = assigned.positive.nonzero(as_tuple=True)
        face_P = assigned.face[picture_P, cell_P]
        truth_P3 = batch.squares[picture_P, face_P]
        iou_P, giou_P = square_overlap(output.squares[picture_P, cell_P], truth_P3)
        # half for being a face, half for the fit: a new network's squares fit nowhere, and its faces must still score
        target_BN = torch.zeros_like(output.logits)
        target_BN[picture_P, cell_P] = (1 + iou_P.detach()) / 2
        count = max(len(face_P), 1)
        known_BN = assigned.positive | assigned.negative
        eyes = self._eyes(output.eyes[picture_P, cell_P], batch.eyes[picture_P, face_P], truth_P3[:, 2])
        return {
            "score": (quality_focal(output.logits, target_BN, self.focus) * known_BN).sum() / count,
            "square": self.square_weight * (1 - giou_P).sum() / count,
            "eyes": self.eye_weight * eyes / count,
        }

    def _eyes(self, eyes_P22: Tensor, truth_P22: Tensor, side_P: Tensor) -> Tensor:
        """Sum over faces of the mean distance per coordinate, in sides; eyes marked NaN are unknown."""
        known_P22 = truth_P22.isfinite()
        apart_P22 = (eyes_P22 - torch.where(known_P22, truth_P22, eyes_P22.detach())) / side_P[:, None, None]
        zero = torch.zeros_like(apart_P22)
        return F.smooth_l1_loss(apart_P22, zero, beta=self.eye_knee, reduction="none").mean(dim=(1, 2)).sum()


def quality_focal(logits: Tensor, target: Tensor, focus: float) -> Tensor:
    """|target - σ|^focus · cross-entropy, element by element; target 0..1."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (target - logits.sigmoid()).abs().pow(focus) * cross_entropy
