"""Wing loss of a vector's length (Feng et al., CVPR 2018), with the constants of the STAR code."""

# ... any leading sizes, D components of an error

from __future__ import annotations

import math

import torch
from torch import Tensor


def wing(squared: Tensor, omega: float = 0.01, epsilon: float = 2.0) -> Tensor:
    """Distance of errors given by their squared lengths d², elementwise:
    ω ln(1 + d/ε) below ω, d - C from there on, C = ω - ω ln(1 + ω/ε).

    [DIFF] The paper takes each coordinate, in pixels, with ω = 10 and ε = 2; the STAR code takes the vector's length,
    in coordinates of -1..1. Below 1e-6 the square is held there, so the gradient at zero is 0, not a corner.
    """
    distance = squared.clamp_min(1e-6).sqrt()
    offset = omega - omega * math.log1p(omega / epsilon)
    return torch.where(distance < omega, omega * torch.log1p(distance / epsilon), distance - offset)


def wing_loss(output_D: Tensor, target_D: Tensor, omega: float = 0.01, epsilon: float = 2.0) -> Tensor:
    """Mean of wing over all errors: (..., D) each, scalar."""
    return wing((output_D - target_D).square().sum(dim=-1), omega, epsilon).mean()
