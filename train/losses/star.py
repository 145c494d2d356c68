"""STAR: distance of a heatmap's mean from the landmark, measured along the heatmap's own axes (Zhou et al., CVPR 2023).

Where annotators disagree (along a jaw, a brow) heatmaps turn into ellipses. An error along the long axis costs less, by
the ellipse's standard deviation in that direction, and the ellipse's size is held back by a penalty of its own.

[TRAP] The STAR code asks an eigen-solver for the axes: it runs on the CPU, gives NaN gradients for equal eigenvalues,
and the rows of its matrix are taken for the columns, which is right only by a property of LAPACK, and not in the
gradient of a covariance that is diagonal and ascending (parity case two_pixels_vertical_DIAG). Two dimensions need no
solver.
"""

# S stacks, B batch, K landmarks, h w heatmap rows and columns, 2 x and y (points) or minor and major axis (variances,
# errors)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from startrack.train.losses.smooth_l1 import smooth_l1
from startrack.train.losses.wing import wing
from startrack.train.models.star_hourglass import stretched_grid

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
    """(S, B, K, 2) x, y."""
    variances: Tensor
    """(S, B, K, 2) along the minor and the major axis, non-negative, ascending."""
    major: Tensor
    """(S, B, K, 2) x, y: unit vector along the major axis, of either sign; (1, 0) for a circle."""
    mass: Tensor
    """(S, B, K) sum of the heatmap. Below EMPTY_MASS the others mean nothing, but they and gradients are finite."""


class _Moments(torch.autograd.Function):
    """S maps of (B, K, h, w) → their means (S, B, K, 2), central second moments Σ m dx², Σ m dy², Σ m dx dy
    (S, B, K, 3), masses and sums of the squares (S, B, K), float64; m is a cell's value, d its distance from the mean.

    Cells are multiplied in the maps' own type, rows and columns summed in float64. On the way back one map in the maps'
    own type is written for each, where torch would write seven. Small steps are taken for all stacks at once.
    """

    @staticmethod
    def forward(ctx: Any, *maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kind = maps[0].dtype
        x_w, y_h = (stretched_grid(maps[0].shape[axis], maps[0].device).double() for axis in (-1, -2))
        columns_SBKw = torch.stack([maps_BKhw.sum(dim=-2, dtype=torch.float64) for maps_BKhw in maps])
        rows_SBKh = torch.stack([maps_BKhw.sum(dim=-1, dtype=torch.float64) for maps_BKhw in maps])
        mass = rows_SBKh.sum(dim=-1)
        mean = torch.stack([columns_SBKw @ x_w, rows_SBKh @ y_h], dim=-1) / mass.clamp_min(MIN_MASS).unsqueeze(-1)
        # deviations, not raw second moments: float32 loses the small difference of two large squares
        dx_SBKw, dy_SBKh = x_w - mean[..., :1], y_h - mean[..., 1:]
        xx, yy = (columns_SBKw * dx_SBKw.square()).sum(dim=-1), (rows_SBKh * dy_SBKh.square()).sum(dim=-1)
        along_x = zip(maps, dx_SBKw.to(kind).unsqueeze(-2), strict=True)
        leaning_SBKh = torch.stack([(maps_BKhw * dx_BK1w).sum(dim=-1) for maps_BKhw, dx_BK1w in along_x])
        moments = torch.stack([xx, yy, (leaning_SBKh * dy_SBKh).sum(dim=-1)], dim=-1)
        squares = torch.stack([maps_BKhw.square().sum(dim=(-2, -1)) for maps_BKhw in maps]).double()
        ctx.save_for_backward(mean, dx_SBKw, dy_SBKh, mass, *maps)
        return mean, moments, mass, squares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        mean, dx_SBKw, dy_SBKh, mass, *maps = ctx.saved_tensors
        by_mean, by_moments, by_mass, by_squares = gradients
        # the mean's own shift changes second moments only where a map is divided by more than its mass: Σ m d ≠ 0
        missing_mass = (MIN_MASS - mass).clamp_min(0).unsqueeze(-1)
        shift = missing_mass * mean
        by_mean = by_mean - 2 * by_moments[..., :2] * shift - by_moments[..., 2:] * shift.flip(-1)
        by_mean = by_mean / (mass.unsqueeze(-1) + missing_mass)
        # more of a cell moves the mean by d / mass, or by x / MIN_MASS
        by_mass = by_mass + (torch.where(missing_mass > 0, mean, 0.0) * by_mean).sum(dim=-1)
        columns = (by_moments[..., :1] * dx_SBKw + by_mean[..., :1]) * dx_SBKw + by_mass.unsqueeze(-1)
        rows = (by_moments[..., 1:2] * dy_SBKh + by_mean[..., 1:]) * dy_SBKh
        kind = maps[0].dtype
        columns, dx = (value.to(kind).unsqueeze(-2) for value in (columns, dx_SBKw))
        rows, leaning = (value.to(kind).unsqueeze(-1) for value in (rows, by_moments[..., 2:] * dy_SBKh))
        by_squares = by_squares.to(kind)[..., None, None]
        return tuple(
            (columns[s] + rows[s]).addcmul_(dx[s], leaning[s]).addcmul_(maps_BKhw, by_squares[s], value=2)
            for s, maps_BKhw in enumerate(maps)
        )


def covariance(stacks: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """S heatmaps of (B, K, h, w) → mean (S, B, K, 2), covariance (S, B, K, 3) as xx, yy, xy, and mass (S, B, K).

    With P = heatmap / mass on the grid g, μ = Σ P g and Σ = Σ P (g - μ)(g - μ)ᵀ / (V₁ - V₂ / V₁), the unbiased estimate
    for weighted samples, V₁ = Σ P + 1e-5 and V₂ = Σ P² + 1e-5 (STAR code). The grid is the network's stretched one.

    All has no more than K·h numbers but the cells themselves, and stays in float64: the minor variance is a small
    difference of large ones.
    """
    kind = torch.promote_types(stacks[0].dtype, torch.float32)
    mean, moments, mass, squares = _Moments.apply(*(maps.to(kind) for maps in stacks))  # type: ignore[no-untyped-call]
    scale = 1 / mass.clamp_min(MIN_MASS)
    v1 = mass * scale + EPSILON
    v2 = squares * scale.square() + EPSILON
    # 1e-5 at least, unless there is so little mass that the difference turns negative and the variances with it
    unbiased = (v1 - v2 / v1).clamp_min(EPSILON / 2)
    return mean, moments * (scale / unbiased).unsqueeze(-1), mass


def ellipse(stacks: Sequence[Tensor]) -> Ellipse:
    """S heatmaps of (B, K, h, w) → mean, principal variances and direction in closed form, differentiable everywhere.

    With t = (xx + yy) / 2, d = (xx - yy) / 2 and r = √(d² + xy²), the variances are t ∓ r, and the major axis lies at
    half the angle of (d, xy). The half-angle formula is taken on the side where nothing cancels.
    """
    mean, covariances, mass = covariance(stacks)
    xx, yy, xy = covariances.unbind(dim=-1)
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    squared = half.square() + xy.square()
    circle = squared <= (ROUND * (middle + EPSILON)).square()
    radius = torch.where(circle, 1.0, squared).sqrt()
    cos2, sin2 = torch.where(circle, 1.0, half / radius), torch.where(circle, 0.0, xy / radius)
    wide = cos2 >= 0
    longer = ((1 + torch.where(wide, cos2, -cos2)) / 2).sqrt()
    shorter = sin2 / (2 * longer)
    major = torch.stack([torch.where(wide, longer, shorter), torch.where(wide, shorter, longer)], dim=-1)
    spread = torch.where(circle, 0.0, radius)
    variances = torch.stack([middle - spread, middle + spread], dim=-1).clamp_min(0)
    return Ellipse(mean, variances, major, mass)


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
        """(B, K, h, w) non-negative of any mass, and (B, K, 2) x, y in -1..1 (train/sets/star_crop.py) → scalar.

        weight: (B,) factor of each face's loss in the mean; None: 1.
        """
        return self.of_stacks([heatmaps_BKhw], targets_BK2, weight_B)[0]

    def of_stacks(self, stacks: Sequence[Tensor], targets_BK2: Tensor, weight_B: Tensor | None = None) -> Tensor:
        """The same for S heatmaps of one shape → (S,): what follows their moments costs as much for one as for all."""
        mean, variances, major, mass = ellipse(stacks)
        (x, y), (cos, sin) = (targets_BK2 - mean).unbind(dim=-1), major.unbind(dim=-1)
        errors = torch.stack([cos * y - sin * x, cos * x + sin * y], dim=-1)
        divisors = variances.detach() if self.restriction == "detached" else variances
        deviations = (divisors + EPSILON).sqrt()
        if self.version == 1:
            cost_SBK = self._vector(errors / deviations)
        else:
            cost_SBK = (self._scalar(errors) / deviations).sum(dim=-1)
        if self.restriction == "value":
            # abs: no gradient at a variance of exactly 0, as in the STAR code
            cost_SBK = cost_SBK + self.weight * variances.abs().sum(dim=-1)
        cost_SBK = torch.where(mass < EMPTY_MASS, 0.0, cost_SBK)
        loss_S = (cost_SBK if weight_B is None else weight_B.unsqueeze(-1) * cost_SBK).mean(dim=(-2, -1))
        return loss_S.to(torch.promote_types(stacks[0].dtype, torch.float32))

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

    def _vector(self, errors: Tensor) -> Tensor:
        """(..., 2) → (...) the distance of version 1."""
        match self.distance:
            case "l1":
                return errors.abs().mean(dim=-1)
            case "l2":
                return errors.square().mean(dim=-1)
            case "wing":
                return wing(errors.square().sum(dim=-1))
            case "smooth_l1":
                return smooth_l1(errors.square().sum(dim=-1))
