"""STAR: distance of a heatmap's mean from the landmark, measured along the heatmap's own axes (Zhou et al., CVPR 2023).

Where annotators disagree (along a jaw, a brow) heatmaps turn into ellipses. An error along the long axis costs less, by
the ellipse's standard deviation in that direction, and the ellipse's size is held back by a penalty of its own.

[TRAP] The STAR code asks an eigen-solver for the axes: it runs on the CPU, gives NaN gradients for equal eigenvalues,
and the rows of its matrix are taken for the columns, which is right only by a property of LAPACK, and not in the
gradient of a covariance that is diagonal and ascending (parity case two_pixels_vertical_DIAG). Two dimensions need no
solver.
"""

# B batch, K landmarks, h w heatmap rows and columns, 2 x and y (points) or minor and major axis (variances, errors)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from train.losses.smooth_l1 import smooth_l1
from train.losses.wing import wing
from train.models.star_hourglass import stretched_grid

EPSILON = 1e-5
MIN_MASS = 1e-6
"""Heatmaps are divided by no less than this."""
EMPTY_MASS = 1e-7
"""Heatmaps of less than this add nothing to the loss."""
ROUND = 1e-4
"""Ellipses whose variances differ by less than twice this share of their mean (plus 1e-5) count as circles: float32
does not know their direction, and the gradient towards it grows without bound."""

Distance: TypeAlias = Literal["smooth_l1", "l1", "l2", "wing"]


class Ellipse(NamedTuple):
    """Heatmaps taken as distributions over coordinates of -1..1."""

    mean: Tensor
    """(B, K, 2) x, y."""
    variances: Tensor
    """(B, K, 2) along the minor and the major axis, non-negative, ascending."""
    major: Tensor
    """(B, K, 2) x, y: unit vector along the major axis, of either sign; (1, 0) for a circle."""
    mass: Tensor
    """(B, K) sum of the heatmap. Below EMPTY_MASS the other values mean nothing, but they and gradients are finite."""


class _Sums(torch.autograd.Function):
    """(B, K, h, w) → sums of its columns (B, K, w) and rows (B, K, h), and of all squares (B, K), float64.

    On the way back one map in the maps' own type is written, where torch's sums would write five, some in float64.
    """

    @staticmethod
    def forward(ctx: Any, maps_BKhw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(maps_BKhw)
        columns_BKw, rows_BKh = (maps_BKhw.sum(dim=axis, dtype=torch.float64) for axis in (-2, -1))
        return columns_BKw, rows_BKh, maps_BKhw.square().sum(dim=(-2, -1)).double()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (maps_BKhw,) = ctx.saved_tensors
        columns_BKw, rows_BKh, squares_BK = (gradient.to(maps_BKhw.dtype) for gradient in gradients)
        sums_BKhw = columns_BKw.unsqueeze(-2) + rows_BKh.unsqueeze(-1)
        return sums_BKhw.addcmul_(maps_BKhw, squares_BK[..., None, None], value=2)


def covariance(heatmaps_BKhw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (B, K, 2), covariance (B, K, 3) as xx, yy, xy, and mass (B, K).

    With P = heatmap / mass on the grid g, μ = Σ P g and Σ = Σ P (g - μ)(g - μ)ᵀ / (V₁ - V₂ / V₁), the unbiased estimate
    for weighted samples, V₁ = Σ P + 1e-5 and V₂ = Σ P² + 1e-5 (STAR code). The grid is the network's stretched one.

    Cells are multiplied in the heatmaps' type, float32 or better; rows and columns are summed in float64. All that
    follows has no more than K·h numbers and stays in float64: the minor variance is a small difference of large ones.
    """
    maps = heatmaps_BKhw.to(torch.promote_types(heatmaps_BKhw.dtype, torch.float32))
    x_w, y_h = (stretched_grid(maps.shape[axis], maps.device).double() for axis in (-1, -2))
    columns_BKw, rows_BKh, squares_BK = _Sums.apply(maps)  # type: ignore[no-untyped-call]
    mass_BK = rows_BKh.sum(dim=-1)
    scale_BK = 1 / mass_BK.clamp_min(MIN_MASS)
    mean_x, mean_y = (columns_BKw * x_w).sum(dim=-1) * scale_BK, (rows_BKh * y_h).sum(dim=-1) * scale_BK
    # deviations, not raw second moments: float32 loses the small difference of two large squares
    dx_BKw, dy_BKh = x_w - mean_x.unsqueeze(-1), y_h - mean_y.unsqueeze(-1)
    xx, yy = (columns_BKw * dx_BKw.square()).sum(dim=-1), (rows_BKh * dy_BKh.square()).sum(dim=-1)
    xy = ((maps * dx_BKw.to(maps.dtype).unsqueeze(-2)).sum(dim=-1).double() * dy_BKh).sum(dim=-1)
    v1 = mass_BK * scale_BK + EPSILON
    v2 = squares_BK * scale_BK.square() + EPSILON
    # 1e-5 at least, unless there is so little mass that the difference turns negative and the variances with it
    unbiased = (v1 - v2 / v1).clamp_min(EPSILON / 2)
    covariance_BK3 = torch.stack([xx, yy, xy], dim=-1) * (scale_BK / unbiased).unsqueeze(-1)
    return torch.stack([mean_x, mean_y], dim=-1), covariance_BK3, mass_BK


def ellipse(heatmaps_BKhw: Tensor) -> Ellipse:
    """Mean, principal variances and direction in closed form, differentiable everywhere.

    With t = (xx + yy) / 2, d = (xx - yy) / 2 and r = √(d² + xy²), the variances are t ∓ r, and the major axis lies at
    half the angle of (d, xy). The half-angle formula is taken on the side where nothing cancels.
    """
    mean_BK2, covariance_BK3, mass_BK = covariance(heatmaps_BKhw)
    xx, yy, xy = covariance_BK3.unbind(dim=-1)
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    squared = half.square() + xy.square()
    circle = squared <= (ROUND * (middle + EPSILON)).square()
    radius = torch.where(circle, 1.0, squared).sqrt()
    cos2, sin2 = torch.where(circle, 1.0, half / radius), torch.where(circle, 0.0, xy / radius)
    wide = cos2 >= 0
    longer = ((1 + torch.where(wide, cos2, -cos2)) / 2).sqrt()
    shorter = sin2 / (2 * longer)
    major_BK2 = torch.stack([torch.where(wide, longer, shorter), torch.where(wide, shorter, longer)], dim=-1)
    spread = torch.where(circle, 0.0, radius)
    variances_BK2 = torch.stack([middle - spread, middle + spread], dim=-1).clamp_min(0)
    return Ellipse(mean_BK2, variances_BK2, major_BK2, mass_BK)


@dataclass(frozen=True)
class StarLoss:
    """Mean over B and K of the distance along both axes, each over the axis' standard deviation, and the penalty.

    With eₖ the error along axis k, λₖ the variance and D the distance of a scalar:

        Σₖ D(eₖ) / √(λₖ + 1e-5)  +  weight · (λ₀ + λ₁).

    Heatmaps of mass below 1e-7 add nothing, neither value nor gradient; the STAR code gives noise or NaN for them.
    """

    distance: Distance = "smooth_l1"
    restriction: Literal["value", "detached"] = "value"
    """What keeps the ellipses from growing for a smaller loss: the penalty ("value"), or no gradient through λ and no
    penalty ("detached"). [DIFF] The paper has both kinds, the code only the penalty; all its gradients flow."""
    weight: float = 1.0
    """Of the penalty."""
    version: Literal[1, 2] = 2
    """Of the STAR code. 2, its default: as above. [DIFF] 1: D of the vector of eₖ / √(λₖ + 1e-5) instead, and for l1
    and l2 the mean over the axes, not the sum. A "wing" of version 2 exists here alone: there it raises TypeError."""

    def __call__(self, heatmaps_BKhw: Tensor, targets_BK2: Tensor, weight_B: Tensor | None = None) -> Tensor:
        """(B, K, h, w) non-negative of any mass, and (B, K, 2) x, y in -1..1 (train/data/star_crop.py) → scalar.

        weight: (B,) factor of each face's loss in the mean; None: 1.
        """
        mean_BK2, variances_BK2, major_BK2, mass_BK = ellipse(heatmaps_BKhw)
        (x, y), (cos, sin) = (targets_BK2 - mean_BK2).unbind(dim=-1), major_BK2.unbind(dim=-1)
        errors_BK2 = torch.stack([cos * y - sin * x, cos * x + sin * y], dim=-1)
        divisors_BK2 = variances_BK2.detach() if self.restriction == "detached" else variances_BK2
        deviations_BK2 = (divisors_BK2 + EPSILON).sqrt()
        if self.version == 1:
            cost_BK = self._vector(errors_BK2 / deviations_BK2)
        else:
            cost_BK = (self._scalar(errors_BK2) / deviations_BK2).sum(dim=-1)
        if self.restriction == "value":
            # abs: no gradient at a variance of exactly 0, as in the STAR code
            cost_BK = cost_BK + self.weight * variances_BK2.abs().sum(dim=-1)
        cost_BK = torch.where(mass_BK < EMPTY_MASS, 0.0, cost_BK)
        loss = (cost_BK if weight_B is None else weight_B.unsqueeze(-1) * cost_BK).mean()
        return loss.to(torch.promote_types(heatmaps_BKhw.dtype, torch.float32))

    def _scalar(self, errors: Tensor) -> Tensor:
        """The distance, elementwise."""
        match self.distance:
            case "l1":
                return errors.abs()
            case "l2":
                return errors.square()
            case "wing":
                return wing(errors.square())
            case "smooth_l1":
                return smooth_l1(errors.square())

    def _vector(self, errors_BK2: Tensor) -> Tensor:
        """(B, K) the distance of version 1."""
        match self.distance:
            case "l1":
                return errors_BK2.abs().mean(dim=-1)
            case "l2":
                return errors_BK2.square().mean(dim=-1)
            case "wing":
                return wing(errors_BK2.square().sum(dim=-1))
            case "smooth_l1":
                return smooth_l1(errors_BK2.square().sum(dim=-1))
