"""Measures of a person's face when it does nothing: the zero of every blendshape."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.signals.shapes import COLUMNS, LEAST, MOST, USUAL, Float64Array

# M measures, with the openings of the eyes

WINDOW_S = 60.0
"""How far the running median looks back."""
SAMPLE_S = 0.1
"""Least time between two of its samples after the first second."""
FIRST_S = 1.0
LIPS_APART = 0.04
"""Distance of the inner lips above which a mouth is not at rest, in distances of the outer eye corners."""
BEYOND = 0.25
"""How far beyond the limits of the training faces a person's neutral face may lie, as a share of their range."""
EYES_SHUT = 0.13
"""Least opening of an eye at rest: the training pictures show shut eyes, too."""
IS_MOUTH = np.array([name.startswith(("corner_", "lip_", "mid_", "chin", "mouth_", "wing_")) for name in COLUMNS])
LIPS = [COLUMNS.index("mid_lower_inner"), COLUMNS.index("mid_upper_inner")]


@dataclass(frozen=True, slots=True, eq=False)
class NeutralLimits:
    """Measures of faces at rest, from a set of faces."""

    usual: Float64Array
    """(M,) median of each measure."""
    least: Float64Array
    """(M,) 2nd percentile."""
    most: Float64Array
    """(M,) 98th percentile."""

    @property
    def lowest(self) -> Float64Array:
        """(M,) BEYOND the least; of the eyes EYES_SHUT."""
        lowest: Float64Array = self.least - BEYOND * (self.most - self.least)
        lowest[-2:] = EYES_SHUT
        return lowest

    @property
    def highest(self) -> Float64Array:
        """(M,) BEYOND the most."""
        highest: Float64Array = self.most + BEYOND * (self.most - self.least)
        return highest


PHOTO_LIMITS = NeutralLimits(USUAL, LEAST, MOST)


class RunningMedian:
    """Medians of one track's values over the last WINDOW_S, or over its first seconds, which then stay."""

    def __init__(self, usual_M: Float64Array, fixed_s: float | None = None) -> None:
        """usual: (M,) of values that were not seen yet. fixed_s: the first seconds; None: the last WINDOW_S."""
        self._usual, self._fixed_s = usual_M, fixed_s
        self._samples: deque[tuple[float, Float64Array]] = deque()
        self._born_s: float | None = None
        self._middle = usual_M

    def see(self, values_M: Float64Array, time_s: float) -> Float64Array:
        """Take up a frame's values, NaN for those that do not count; gives (M,) the medians by now."""
        self._born_s = time_s if self._born_s is None else self._born_s
        age_s = time_s - self._born_s
        if self._fixed_s is not None:
            is_due = age_s <= self._fixed_s
        else:
            is_due = age_s <= FIRST_S or time_s - self._samples[-1][0] >= SAMPLE_S
        if is_due:
            self._sample(values_M, time_s)
        return self._middle

    def _sample(self, values_M: Float64Array, time_s: float) -> None:
        self._samples.append((time_s, values_M))
        while time_s - self._samples[0][0] > max(WINDOW_S, self._fixed_s or 0.0):
            self._samples.popleft()
        ordered = np.sort(np.array([sample for _, sample in self._samples]), axis=0)
        count, every = np.isfinite(ordered).sum(axis=0), np.arange(ordered.shape[1])
        low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)
        self._middle = np.where(count > 0, (ordered[low, every] + ordered[high, every]) / 2, self._usual)


class Neutral:
    """The neutral face of one track.

    Without `fixed_s` a running median of each measure, over the moments at which it is within the limits of neutral
    faces, and of the mouth's measures over those at which the lips are closed: a mouth that speaks or grins does not
    become the mouth at rest. A measure without such a moment stays that of the usual face. With it, the median of the
    track's first `fixed_s` seconds, which then stays.
    """

    def __init__(self, fixed_s: float | None = None, limits: NeutralLimits = PHOTO_LIMITS) -> None:
        self._median = RunningMedian(limits.usual, fixed_s)
        self._is_fixed = fixed_s is not None
        self._lowest, self._highest = limits.lowest, limits.highest

    def see(self, measures_M: Float64Array, time_s: float) -> Float64Array:
        """Take up a frame's measures; gives (M,) the neutral face by now."""
        counts = self._is_fixed | self._at_rest(measures_M)
        return self._median.see(np.where(counts, measures_M, np.nan), time_s)

    def _at_rest(self, measures_M: Float64Array) -> NDArray[np.bool_]:
        """(M,) whether each measure may be that of a neutral face."""
        within: NDArray[np.bool_] = (measures_M >= self._lowest) & (measures_M <= self._highest)
        closed = measures_M[LIPS].sum() <= LIPS_APART and within[IS_MOUTH].all()
        return np.where(IS_MOUTH, closed, within)
