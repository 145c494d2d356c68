"""Smoothers by name: each makes the smoother of one face."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth.base import AtOnce, LateSmoother, MakeLateSmoother, MakeSmoother
from startrack.tracker.smooth.fixed_lag import LOOK_AHEAD, FixedLag
from startrack.tracker.smooth.kalman import CAUSAL, Kalman
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.smooth.one_euro import OneEuro, OneEuroSettings

SMOOTHERS: dict[str, MakeSmoother] = {"kalman": Kalman, "one-euro": OneEuro, "none": NoSmoothing}
CAN_LOOK_AHEAD = "kalman"
"""The one of SMOOTHERS that smooths better with frames ahead."""
MOST_LOOK_AHEAD = 60
"""Frames that may be waited for: every one of them is a picture in memory."""


def smoother_of(name: str, strength: float = 1.0) -> MakeSmoother:
    """A smoother of SMOOTHERS; strength: factor of its noise, 0 none, 1 as it was chosen.

    Raises ValueError for an unknown name and a strength below 0.
    """
    if name not in SMOOTHERS:
        raise ValueError(f"smoother {name!r}; expected one of {', '.join(SMOOTHERS)}")
    _check_strength(strength)
    if strength == 0 or name == "none":
        return NoSmoothing
    if name == "kalman":
        return partial(Kalman, settings=replace(CAUSAL, strength=strength))
    settings = OneEuroSettings()
    cutoff_hz, beta = settings.min_cutoff_hz / strength, settings.beta / strength
    return partial(OneEuro, settings=replace(settings, min_cutoff_hz=cutoff_hz, beta=beta))


def late_smoother_of(name: str, frames: int, strength: float = 1.0) -> MakeLateSmoother:
    """The same with so many frames of look-ahead, which only CAN_LOOK_AHEAD makes use of; 0: none.

    Raises ValueError, too, for fewer frames than 0, more than MOST_LOOK_AHEAD, and frames of look-ahead that another
    smoother is to use.
    """
    if not 0 <= frames <= MOST_LOOK_AHEAD:
        raise ValueError(f"{frames} frames of look-ahead; expected 0 to {MOST_LOOK_AHEAD}")
    if frames and name != CAN_LOOK_AHEAD:
        raise ValueError(f"smoother {name!r} with {frames} frames of look-ahead; only {CAN_LOOK_AHEAD!r} looks ahead")
    _check_strength(strength)
    if frames and strength:
        return partial(FixedLag, frames=frames, settings=replace(LOOK_AHEAD, strength=strength))
    return partial(_at_once, smoother_of(name, strength))


def all_smoothers() -> dict[str, MakeLateSmoother]:
    """Every smoother of recorded landmarks, by name: those of SMOOTHERS, and "look-ahead" with five frames."""
    causal = {name: late_smoother_of(name, 0) for name in SMOOTHERS}
    return {**causal, "look-ahead": late_smoother_of(CAN_LOOK_AHEAD, 5)}


def _at_once(make_smoother: MakeSmoother, scheme: LandmarkScheme) -> LateSmoother:
    return AtOnce(make_smoother(scheme))


def _check_strength(strength: float) -> None:
    if not 0 <= strength < float("inf"):
        raise ValueError(f"smoothing strength {strength:g}; expected a number of 0 or more")
