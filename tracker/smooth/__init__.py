"""Smoothers by name: each makes the smoother of one face."""

from __future__ import annotations

from tracker.smooth.base import MakeSmoother
from tracker.smooth.kalman import Kalman
from tracker.smooth.none import NoSmoothing
from tracker.smooth.one_euro import OneEuro

SMOOTHERS: dict[str, MakeSmoother] = {"kalman": Kalman, "one-euro": OneEuro, "none": NoSmoothing}
