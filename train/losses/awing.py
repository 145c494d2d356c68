"""Adaptive Wing loss on heatmaps (Wang et al., ICCV 2019): steep where the target is high, mild where it is low."""

# B batch, C channels, h w heatmap rows and columns

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


class AwingTarget(NamedTuple):
    """A target and all of the loss that depends on it alone: every stack of a network is compared with the same one.

    The loss of a cell is weight · ln(1 + (d/ε)^exponent) below θ, and its tangent from there on.
    """

    values: Tensor
    """(B, C, h, w) like the others."""
    exponent: Tensor
    weight: Tensor
    steepness: Tensor
    """weight · exponent."""


@dataclass(frozen=True)
class AdaptiveWingLoss:
    """Mean over all cells of the loss, foreground cells counting (weight + 1) times.

    With d = |output - target| and q = α - target, cell by cell:

        ω ln(1 + (d/ε)^q)  below θ,   A d - C  from there on,
        A = ω q (θ/ε)^(q-1) / (ε (1 + (θ/ε)^q)),   C = θ A - ω ln(1 + (θ/ε)^q),

    so value and slope have no step at θ. Cells count as foreground within one cell of a target of `foreground` or more
    (the paper's weighted loss map; [DIFF] its own code asks for more than 0.2, the STAR code for 0.2 or more).

    Targets lie in 0..1: above α - 1 the slope at d = 0 would be infinite. [TRAP] At target 1 it is almost a step there
    (d^0.1), and no epsilon softens it, as in the paper.
    """

    omega: float = 14.0
    theta: float = 0.5
    epsilon: float = 1.0
    alpha: float = 2.1
    weight: float = 10.0
    """Added to the 1 of every cell on the foreground; 0 leaves the map out."""
    foreground: float = 0.2

    def __call__(self, output_BChw: Tensor, target: Tensor | AwingTarget) -> Tensor:
        """(B, C, h, w) and a target of the same shape, plain or prepared → scalar, float32 or better."""
        prepared = target if isinstance(target, AwingTarget) else self.prepare(target)
        output = output_BChw.to(torch.promote_types(output_BChw.dtype, torch.float32))
        loss: Tensor = _MeanAwing.apply(output, prepared, self.theta, self.epsilon)  # type: ignore[no-untyped-call]
        return loss

    @torch.no_grad()
    def prepare(self, target_BChw: Tensor, weight_B: Tensor | None = None) -> AwingTarget:
        """The parts of a target that the loss needs, for one call or many. weight: factor of each face's loss in the
        mean."""
        weight = self.omega * self.weight_map(target_BChw)
        if weight_B is not None:
            weight *= weight_B.view(-1, 1, 1, 1)
        exponent = self.alpha - target_BChw
        return AwingTarget(target_BChw, exponent, weight, weight * exponent)

    def weight_map(self, target_BChw: Tensor) -> Tensor:
        """(B, C, h, w) weight + 1 where the target, dilated by 3×3 cells, reaches `foreground`; 1 elsewhere."""
        high = target_BChw >= self.foreground
        # the largest of 3×3 reaches the threshold where one of them does: booleans are faster than a maximum
        wide = high.clone()
        wide[..., 1:] |= high[..., :-1]
        wide[..., :-1] |= high[..., 1:]
        dilated = wide.clone()
        dilated[..., 1:, :] |= wide[..., :-1, :]
        dilated[..., :-1, :] |= wide[..., 1:, :]
        return dilated.to(target_BChw.dtype).mul_(self.weight).add_(1)


class _MeanAwing(torch.autograd.Function):
    """Value and slope in one go: both need the same powers, and the backward pass is one multiplication."""

    @staticmethod
    def forward(ctx: Any, output_BChw: Tensor, target: AwingTarget, theta: float, epsilon: float) -> Tensor:
        error = output_BChw - target.values
        # from θ on the loss is the tangent at θ: no branch, which costs more than a power
        near = error.clamp(-theta, theta)
        beyond = error.sub_(near)
        power = (near.abs() if epsilon == 1 else near.abs().div_(epsilon)).pow_(target.exponent)
        # d ln(1 + (d/ε)^q) = q (d/ε)^q / (d (1 + (d/ε)^q)), of the error's sign; 0 at d = 0, where it is 0 / 0
        slope = torch.div(power, near.addcmul_(near, power), out=near).nan_to_num_(0.0).mul_(target.steepness)
        loss = power.log1p_().mul_(target.weight).addcmul_(slope, beyond).mean()
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(slope)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] / slope.numel() * slope, None, None, None
