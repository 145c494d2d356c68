"""Several answers about the same landmarks as one."""

# V answers, K landmarks

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    from startrack.tracker.types import FloatArray

Array = TypeVar("Array", bound="Tensor | FloatArray")


def moments_of_mixture(points_VxK2: Array, covariance_VxK22: Array) -> tuple[Array, Array]:
    """Mean (..., K, 2) and covariance (..., K, 2, 2) of V normal distributions of equal weights.

    The mean of the covariances, and the covariance of the means: it grows where the answers disagree.
    """
    points = points_VxK2.mean(0)
    apart = points_VxK2 - points
    covariance = covariance_VxK22.mean(0) + (apart[..., :, None] * apart[..., None, :]).mean(0)
    return points, covariance  # type: ignore[return-value]  # of the kind that it was given
