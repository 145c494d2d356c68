"""Values of a face made steady: a 1€ filter that opens with speed, and a play within which small changes stay."""

from __future__ import annotations

import numpy as np

from startrack.tracker.motion.one_euro_filter import Float64Array, OneEuroFilter

# S values

DERIVATIVE_HZ = 4.0
"""Cut-off of the speed that opens the filter."""


class Steady:
    """The values of one face, frame by frame.

    The 1€ filter passes fast changes; the noise that is left moves within the play, and the output rests. The output is
    never farther than `play` from the filtered value.
    """

    def __init__(self, min_cutoff_hz: Float64Array, beta_hz: Float64Array, play: Float64Array) -> None:
        """(S,) each. beta_hz: added to the cut-off for a speed of 1 a second."""
        self._filter = OneEuroFilter(min_cutoff_hz, beta_hz, DERIVATIVE_HZ)
        self._play = play
        self._shown: Float64Array | None = None

    def __call__(self, values_S: Float64Array, time_s: float) -> Float64Array:
        """(S,) the steady values at a later time than the last one; the first ones pass as they are."""
        filtered = self._filter(values_S, time_s)
        if self._shown is None:
            self._shown = filtered
        self._shown = np.clip(self._shown, filtered - self._play, filtered + self._play)
        return self._shown
