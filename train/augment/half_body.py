"""The geometry that HRNet trains bodies with: half of a body, scale, turn, mirror (leoxiaobin 6f69e46)."""

# K landmarks

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, Roi
from startrack.train.sets.body.bodies import body_roi

HALF_SCALE = 1.5
"""Height of a half body's crop over that of its landmarks' box."""


@dataclass(frozen=True, slots=True)
class BodyVariation:
    """A random square near a person's own, and whether it is mirrored."""

    scale: float = 0.35
    """Sigma and largest change of the square's side: a factor of clip(1 + scale · n, 1 ± scale). COCO's; MPII's is
    0.25. [DIFF] A summary of DE-HRNet says 32 %."""
    rotation_deg: float = 45.0
    """Sigma of the turn, cut at twice that. MPII's is 30."""
    rotated: float = 0.6
    """Share of the crops that are turned."""
    flip: float = 0.5
    half_body: float = 0.3
    """Share of the people with more than `half_body_from` landmarks of whom half is shown; 0 for MPII."""
    half_body_from: int = 8

    def __call__(
        self,
        roi: Roi,
        landmarks_K2: FloatArray,
        annotated_K: NDArray[np.bool_],
        scheme: LandmarkScheme,
        rng: np.random.Generator,
    ) -> tuple[Roi, bool]:
        """roi: of the plain crop; landmarks: frame pixels, those not annotated may be anything."""
        if annotated_K.sum() > self.half_body_from and rng.random() < self.half_body:
            half = half_body_roi(landmarks_K2, annotated_K, scheme.upper_body, rng)
            roi = half or roi
        factor = float(np.clip(1 + self.scale * rng.standard_normal(), 1 - self.scale, 1 + self.scale))
        degrees = self.rotation_deg * float(np.clip(rng.standard_normal(), -2, 2))
        turned = degrees if rng.random() < self.rotated else 0.0
        mirrored = bool(rng.random() < self.flip)
        return Roi(roi.centre, roi.side * factor, roi.angle_rad + math.radians(turned)), mirrored


def half_body_roi(
    landmarks_K2: FloatArray, annotated_K: NDArray[np.bool_], upper: tuple[int, ...], rng: np.random.Generator
) -> Roi | None:
    """The square on the upper or the lower half of a body; None if neither has two landmarks.

    [TRAP] The HRNet code asks a normal number, not an even one, to be below ½, so the upper half is shown 69 times in
    100. The half that is asked for needs three landmarks, otherwise the other one is shown if that has three, else the
    upper one. The square's centre is the landmarks' mean, not the middle of their box.
    """
    is_upper = np.isin(np.arange(len(annotated_K)), upper)
    above, below = (np.asarray(landmarks_K2, np.float64)[annotated_K & half] for half in (is_upper, ~is_upper))
    preferred, other = (above, below) if rng.standard_normal() < 0.5 else (below, above)
    chosen = next((each for each in (preferred, other) if len(each) > 2), above)
    if len(chosen) < 2:
        return None
    extent = body_roi(np.concatenate([chosen.min(axis=0), chosen.max(axis=0)]), scale=HALF_SCALE)
    return Roi(chosen.mean(axis=0), extent.side)
