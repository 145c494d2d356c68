"""PCKh, MPII's measure: the share of landmarks within a part of the head's size (Andriluka et al., CVPR 2014)."""

# N people, K = 16 landmarks of tracker.schemes.MPII_16

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray

Float64Array = NDArray[np.float64]

GROUPS: dict[str, tuple[int, int]] = {
    "Head": (9, 9),
    "Shoulder": (12, 13),
    "Elbow": (11, 14),
    "Wrist": (10, 15),
    "Hip": (2, 3),
    "Knee": (1, 4),
    "Ankle": (0, 5),
}
"""Columns of the papers' tables: mean of the right and the left landmark."""
NOT_COUNTED = (6, 7)
"""Pelvis and thorax are left out of the mean."""


@dataclass(frozen=True, slots=True)
class PckhSummary:
    """PCKh in per cent."""

    groups: dict[str, float]
    """At 0.5, by GROUPS."""
    mean: float
    """At 0.5, over all counted landmarks of all people."""
    mean_at_10: float
    """At 0.1, likewise."""


def head_errors(points_NK2: FloatArray, truth_NK2: FloatArray, head_sizes_N: FloatArray) -> Float64Array:
    """(N, K) distance over the head's size; NaN where the truth is. Both in one frame and counted from one number."""
    distance: Float64Array = np.linalg.norm(np.asarray(points_NK2, np.float64) - truth_NK2, axis=-1)
    errors: Float64Array = distance / np.asarray(head_sizes_N, np.float64)[:, None]
    return errors


def pckh(errors_NK: Float64Array, *, at: float = 0.5, strict: bool = False) -> Float64Array:
    """(K,) share of the annotated landmarks with an error of at most `at` (below it if strict, as mmpose counts)."""
    known_NK = np.isfinite(errors_NK)
    near_NK = errors_NK < at if strict else errors_NK <= at
    share_K: Float64Array = (near_NK & known_NK).sum(axis=0) / np.maximum(known_NK.sum(axis=0), 1)
    return share_K


def pckh_summary(errors_NK: Float64Array, *, published_at_10: bool = False) -> PckhSummary:
    """The table of the papers. published_at_10: [TRAP] the figure that the HRNet code prints as Mean@0.1 is that at
    0.11: it takes the eleventh step of hundredths, counted from 0."""
    shares_K = pckh(errors_NK)
    return PckhSummary(
        groups={name: 50 * float(shares_K[first] + shares_K[second]) for name, (first, second) in GROUPS.items()},
        mean=_mean(errors_NK, 0.5),
        # the code's thresholds are arange(0, 0.51, 0.01)
        mean_at_10=_mean(errors_NK, float(np.arange(0, 0.51, 0.01)[11 if published_at_10 else 10])),
    )


def _mean(errors_NK: Float64Array, at: float) -> float:
    counted = np.delete(errors_NK, NOT_COUNTED, axis=1)
    weight_K = np.isfinite(counted).sum(axis=0)
    return 100 * float((pckh(counted, at=at) * weight_K).sum() / max(weight_K.sum(), 1))
