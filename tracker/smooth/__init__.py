"""Smoothers by name: each makes the smoother of one face."""

from __future__ import annotations

from startrack.tracker.smooth.base import MakeSmoother
from startrack.tracker.smooth.kalman import Kalman
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.smooth.one_euro import OneEuro

SMOOTHERS: dict[str, MakeSmoother] = {"kalman": Kalman, "one-euro": OneEuro, "none": NoSmoothing}
