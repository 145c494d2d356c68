"""Eyes as they are read → ARKit's eyeLook and eyeBlink shapes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.eyes.direction import angles_of
from startrack.tracker.signals.neutral import RunningMedian
from startrack.tracker.types import Eyes, FloatArray

Float64Array = NDArray[np.float64]
FULL_ASIDE_RAD, FULL_UP_DOWN_RAD = math.radians(32), math.radians(22)
"""Angles at which a shape is 1, those of the rendered faces (train/synthetic/head/expression.py)."""
SIDES = ("Right", "Left")
LOOKS = tuple(f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in SIDES)
"""Right and left are the face's own; in is towards the nose."""


def look_values(eyes: Eyes) -> dict[str, float]:
    """LOOKS → 0..1, of the gaze that both eyes share: an avatar's eyes do not squint by noise."""
    aside, down = angles_of(eyes.gaze_in_head).tolist()
    down /= FULL_UP_DOWN_RAD
    # the face's own right eye is on the picture's left, its nose to the right of it
    inwards = {"Right": aside / FULL_ASIDE_RAD, "Left": -aside / FULL_ASIDE_RAD}
    ways = {"Up": dict.fromkeys(SIDES, -down), "Down": dict.fromkeys(SIDES, down), "In": inwards}
    ways["Out"] = {side: -value for side, value in inwards.items()}
    return {f"eyeLook{way}{side}": min(max(ways[way][side], 0.0), 1.0) for way in ways for side in SIDES}


LEAST_OPEN = 0.6
"""Openness below which an eye does not show how far it is open usually."""
SHUT_OPENNESS = 0.15
"""That the network gives to a shut eye, over its usual one."""
BY_LOOKING_DOWN = 0.35
"""Openness that an eye loses when it looks down in full: the lid goes with it, which is no blink."""


class UsualOpenness:
    """How far each eye of one track is open usually: a running median over a minute, as Neutral's, or with `fixed_s`
    that of the track's first seconds."""

    def __init__(self, fixed_s: float | None = None) -> None:
        self._median = RunningMedian(np.ones(2), fixed_s)

    def see(self, openness: FloatArray, time_s: float) -> Float64Array:
        """Take up a frame's (2,) openness; gives the usual one by now."""
        now = np.asarray(openness, np.float64)
        return self._median.see(now if now.min() >= LEAST_OPEN else np.full(2, np.nan), time_s)


def blink_values(eyes: Eyes, usual: Float64Array) -> dict[str, float]:
    """eyeBlinkRight and eyeBlinkLeft, each by its own eye; may leave 0..1. usual: (2,) openness of either eye."""
    down = max(float(angles_of(eyes.gaze_in_head)[1]) / FULL_UP_DOWN_RAD, 0.0)
    lost = 1 - np.asarray(eyes.openness, np.float64) / usual - BY_LOOKING_DOWN * min(down, 1.0)
    return {f"eyeBlink{side}": float(value) / (1 - SHUT_OPENNESS) for side, value in zip(SIDES, lost, strict=True)}
