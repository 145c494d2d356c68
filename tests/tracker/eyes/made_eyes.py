"""Eyes made by hand, and an engine that gives them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from startrack.engines.base import CropArray, EyeSpec
from startrack.engines.eyes import EyeBatch
from startrack.engines.fake_eye_engine import FakeEyeEngine, open_eyes
from startrack.tracker.eyes.direction import direction_of
from startrack.tracker.types import EyeReadings, Eyes

SPEC = EyeSpec("eyes", 64, 48, 1.8, 0.25)


def fake_engine(**changes: np.ndarray) -> FakeEyeEngine:
    """Gives open eyes that look into the camera, but for the changes: fields of EyeBatch, of the first N eyes."""

    def read(crops: CropArray) -> EyeBatch:
        return replace(open_eyes(SPEC, len(crops)), **{name: value[: len(crops)] for name, value in changes.items()})

    return FakeEyeEngine(SPEC, read)


def readings(
    aside_deg: float = 0.0,
    down_deg: float = 0.0,
    *,
    iris: tuple[tuple[float, float], tuple[float, float]] = ((297.0, 240.0), (342.0, 240.0)),
    visible: tuple[float, float] = (1.0, 1.0),
    openness: tuple[float, float] = (1.0, 1.0),
    spread_deg: tuple[float, float] = (5.0, 5.0),
) -> EyeReadings:
    """Both eyes look to the same side."""
    gaze = direction_of(np.radians([[aside_deg, down_deg]] * 2))
    covariance, radius = np.tile(np.eye(2), (2, 1, 1)), np.array([4.0, 4.0])
    found = (np.array(iris), radius, covariance, np.array(visible), np.array(openness))
    return EyeReadings(*found, gaze, np.radians(spread_deg))


def eyes(aside_deg: float = 0.0, down_deg: float = 0.0, *, visible: tuple[float, float] = (1.0, 1.0)) -> Eyes:
    """Of a face that looks into the camera with its head."""
    read = readings(aside_deg, down_deg, visible=visible)
    found = (read.iris, read.radius, read.covariance, read.visible, read.openness)
    return Eyes(*found, read.gaze[0], read.gaze, read.gaze[0], 0.05)
