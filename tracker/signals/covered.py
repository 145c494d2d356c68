"""Measures of a face of which a part is covered: those of the covered part stay, then go back to rest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.expression import EYES, LINEAR
from startrack.tracker.types import FloatArray

# M measures with the openings of the eyes, tracker.signals.shapes.COLUMNS

Float64Array = NDArray[np.float64]
HIDDEN, SEEN = 0.9, 0.975
"""Mean visibility of a measure's landmarks, over that of the face's median landmark, up to which it is not believed at
all, and from which it is in full. A hand before an eye leaves 0.5 to 0.95 of it (clip 17 of the tests), a quiet face
0.97; in a blurred or dark face all landmarks have lost."""
BACK_S = 2.0
"""Time constant with which a measure that is not believed goes to the neutral face's."""

SETTLE_S = 0.15
"""Time constant with which a measure that is believed becomes the one that stays: the readings of an eye or mouth go
astray a frame or two before the thing that covers it is noticed."""


def _shares() -> Float64Array:
    weights = np.abs(LINEAR).reshape(len(LINEAR), 68, 2).sum(axis=2)
    openings = np.zeros((len(EYES), 68))
    for row, (outer, upper, inner, lower) in zip(openings, EYES, strict=True):
        row[[outer, *upper, inner, *lower]] = 1.0
    every = np.concatenate([weights, openings])
    shares: Float64Array = every / every.sum(axis=1, keepdims=True)
    return shares


SHARES = _shares()
"""(M, 68) how much of each measure comes from each landmark."""


class Covered:
    """The measures of one face, frame by frame, each believed as far as its landmarks are seen."""

    def __init__(self) -> None:
        self._held: Float64Array | None = None
        self._time_s = 0.0

    def __call__(
        self, measures_M: Float64Array, neutral_M: Float64Array, visibility: FloatArray | None, time_s: float
    ) -> Float64Array:
        """(M,) the measures to be used. visibility: (68,) of iBUG's landmarks; None: all are seen."""
        if visibility is None:
            return measures_M
        usual = max(float(np.sort(visibility)[33:35].mean()), 1e-6)  # the median, which NumPy takes longer over
        seen_M = SHARES @ np.asarray(visibility, np.float64) / usual
        believed_M = ((seen_M - HIDDEN) / (SEEN - HIDDEN)).clip(0, 1)
        if self._held is None:
            self._held, self._time_s = neutral_M + believed_M * (measures_M - neutral_M), time_s
        passed_s, self._time_s = max(time_s - self._time_s, 0.0), time_s
        held = self._held + (1 - math.exp(-passed_s / BACK_S)) * (neutral_M - self._held)
        seen = believed_M * (measures_M - held)
        self._held = held + (1 - math.exp(-passed_s / SETTLE_S)) * seen
        used = held + seen
        # an eye that shuts hides its own landmarks, too
        used[-2:] = np.where(measures_M[-2:] < neutral_M[-2:], measures_M[-2:], used[-2:])
        return used
