"""The 1€ filter (Casiez, Roussel, Vogel, CHI 2012): a low-pass filter that opens with speed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def per_value(velocity: Float64Array) -> Float64Array:
    """Each value's own speed."""
    return np.abs(velocity)


class OneEuroFilter:
    """Values of any one shape, filtered as they come: steady when still, prompt when moving."""

    def __init__(
        self,
        min_cutoff_hz: float | Float64Array,
        beta: float | Float64Array,
        derivative_cutoff_hz: float,
        *,
        speed: Callable[[Float64Array], Float64Array] = per_value,
    ) -> None:
        """Cut-off = min_cutoff_hz + beta · speed, in hertz; beta: hertz for a speed of one unit a second. The numbers
        are broadcast over the values. speed: of the velocities, which have the values' shape."""
        self._min_cutoff_hz, self._beta, self._derivative_cutoff_hz = min_cutoff_hz, beta, derivative_cutoff_hz
        self._speed = speed
        self._time_s = -math.inf
        self._raw: Float64Array | None = None
        self._filtered = self._velocity = np.zeros(0)

    def __call__(self, values: Float64Array, time_s: float, *, unit: float = 1.0) -> Float64Array:
        """The filtered values at a later time than the last one; the first pass as they are. unit: of speeds."""
        if self._raw is None:
            self._filtered, self._velocity = values, np.zeros_like(values)
        else:
            step_s = time_s - self._time_s
            velocity = (values - self._raw) / (step_s * unit)
            self._velocity = self._velocity + _share(self._derivative_cutoff_hz, step_s) * (velocity - self._velocity)
            cutoff_hz = self._min_cutoff_hz + self._beta * self._speed(self._velocity)
            self._filtered = self._filtered + _share(cutoff_hz, step_s) * (values - self._filtered)
        self._raw, self._time_s = values, time_s
        return self._filtered


def _share(cutoff_hz: float | Float64Array, step_s: float) -> Float64Array:
    """Weight of the new value in an exponential filter of this cut-off at this step."""
    turn = 2 * math.pi * np.asarray(cutoff_hz, np.float64) * step_s
    share: Float64Array = turn / (1 + turn)
    return share
