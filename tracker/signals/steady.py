"""Values of a face made steady: a 1€ filter that opens with speed, and a play within which small changes stay."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# S values

Float64Array = NDArray[np.float64]
DERIVATIVE_HZ = 4.0
"""Cut-off of the speed that opens the filter."""


class Steady:
    """The values of one face, frame by frame.

    The 1€ filter (Casiez, Roussel, Vogel, CHI 2012) passes fast changes; the noise that is left moves within the
    play, and the output rests. The output is never farther than `play` from the filtered value.
    """

    def __init__(self, min_cutoff_hz: Float64Array, beta_hz: Float64Array, play: Float64Array) -> None:
        """(S,) each. beta_hz: what a speed of 1 a second adds to the cut-off."""
        self._min_cutoff_hz, self._beta_hz, self._play = min_cutoff_hz, beta_hz, play
        self._time_s: float | None = None
        self._last = self._filtered = self._shown = self._speed = np.zeros_like(play)

    def __call__(self, values_S: Float64Array, time_s: float) -> Float64Array:
        """(S,) the steady values at a later time than the last one; the first ones pass as they are."""
        if self._time_s is None:
            self._filtered = self._shown = values_S
        else:
            step_s = time_s - self._time_s
            self._speed = self._speed + _share(np.float64(DERIVATIVE_HZ), step_s) * (
                (values_S - self._last) / step_s - self._speed
            )
            cutoff_hz = self._min_cutoff_hz + self._beta_hz * np.abs(self._speed)
            self._filtered = self._filtered + _share(cutoff_hz, step_s) * (values_S - self._filtered)
            self._shown = self._shown.clip(self._filtered - self._play, self._filtered + self._play)
        self._last, self._time_s = values_S, time_s
        return self._shown


def _share(cutoff_hz: Float64Array | np.float64, step_s: float) -> Float64Array | np.float64:
    """Weight of the new value in an exponential filter of this cut-off at this step."""
    turn = 2 * math.pi * cutoff_hz * step_s
    share: Float64Array | np.float64 = turn / (1 + turn)
    return share
