"""A filter for values that rest and jump: at rest the mean of many readings, a jump as quick as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


class InnovationFilter:
    """A random walk seen with noise (a Kalman filter of one variance), whose predicted variance grows with the square
    of the innovation's mean square, in units of the noise: a reading within the noise hardly moves the values, one far
    beyond it is taken at once. There is no threshold, behind which a slow motion would be saved up."""

    def __init__(self, *, drift_per_s: float, half: float) -> None:
        """drift_per_s: variance that the resting values gain in a second, in units of the noise. half: mean squared
        innovation, in the same units, of which half is taken at once."""
        self._drift_per_s, self._half = drift_per_s, half
        self._values: Float64Array | None = None
        self._time_s = 0.0
        self._variance = 1.0
        """Of the values, in units of the noise."""

    @property
    def values(self) -> Float64Array | None:
        """The newest ones; None before the first reading."""
        return self._values

    def __call__(self, reading: Float64Array, noise: float, time_s: float) -> Float64Array:
        """The filtered values at a later time than the last one, of the reading's shape; the first pass as they are.

        noise: variance of each value of the reading, above 0.
        """
        if self._values is None:
            self._values = reading
        else:
            innovation = reading - self._values
            needed = (float(np.vdot(innovation, innovation)) / innovation.size / noise / self._half) ** 2
            predicted = max(self._variance + self._drift_per_s * (time_s - self._time_s), needed)
            gain = predicted / (predicted + 1)
            self._values = self._values + gain * innovation
            self._variance = gain
        self._time_s = time_s
        return self._values
