"""The variances of constant-velocity Kalman filters that run side by side, and their gains."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Values = TypeVar("Values", float, Float64Array)
"""One filter's value in plain numbers, of which numpy's calls would take ten times as long, or those of many."""


class ConstantVelocity(Generic[Values]):
    """Place and velocity of any number of one-dimensional filters; where they are is kept by whoever uses them.

    For each frame in this order: predict, grow where the innovations ask for it, gains.
    """

    def __init__(self, variance: Values) -> None:
        """variance: of the first measurement, one for each filter; all begin at rest."""
        self.pp: Values = variance
        """Variance of the place."""
        self.pv: Values = 0 * variance
        """Covariance of place and velocity."""
        self.vv: Values = 0 * variance
        """Variance of the velocity."""

    def predict(self, step_s: float, acceleration: Values | float) -> None:
        """Let time pass. acceleration: square root of the spectral density of a white one."""
        drive = acceleration * acceleration * step_s
        driven, drift = drive * (step_s / 2), self.pv + step_s * self.vv
        self.pp = self.pp + step_s * (self.pv + drift + driven * (2 / 3))
        self.pv = drift + driven
        self.vv = self.vv + drive

    def grow(self, needed: Values) -> None:
        """Raise the predicted covariance until the place's variance is the needed one; it never shrinks.

        The strong tracking filter (Zhou and Frank, 1996): place and velocity are doubted equally, so that a motion that
        begins is followed at once.
        """
        factor = needed / self.pp
        factor = max(1.0, factor) if isinstance(factor, float) else np.maximum(1.0, factor)
        self.pp, self.pv, self.vv = factor * self.pp, factor * self.pv, factor * self.vv

    def gains(self, noise: Values) -> tuple[Values, Values, Values]:
        """Take up a measurement of this variance: the inverse of its innovation's variance, and what of the innovation
        is added to place and to velocity."""
        weight = 1 / (self.pp + noise)
        gain, gain_v = self.pp * weight, self.pv * weight
        left = 1 - gain
        self.pp, self.pv, self.vv = left * self.pp, left * self.pv, self.vv - gain_v * self.pv
        return weight, gain, gain_v
