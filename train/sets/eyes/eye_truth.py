"""The known facts of the two eyes of a face in a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from startrack.tracker.types import FloatArray
from startrack.train.sets.sample import Sample


def unknown_point() -> FloatArray:
    """(2,)."""
    return np.full(2, np.nan)


def _unknown_direction() -> FloatArray:
    return np.full(3, np.nan)


def _straight() -> FloatArray:
    return np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class EyeTruth:
    """One eye. NaN where a value is not known; nothing of it is in the crop's axes."""

    lids: FloatArray
    """(6, 2) picture pixels, in the order of tracker.eyes.crop.RIGHT_EYE or LEFT_EYE."""
    iris: FloatArray = field(default_factory=unknown_point)
    """(2,) picture pixels; of a rendered eye also behind a lid."""
    radius: float = math.nan
    """Of the iris, picture pixels."""
    visible: float = math.nan
    """1 where the iris's centre can be seen, 0 where it cannot."""
    openness: float = math.nan
    """Of the lids over that of the same eye when it is open normally; above 1 for eyes opened wide."""
    gaze: FloatArray = field(default_factory=_unknown_direction)
    """(3,) unit direction in the camera's axes: x right, y down, z away."""
    ray: FloatArray = field(default_factory=_straight)
    """(3,) from the camera to the eye, of any length."""
    lid_weight: float = 1.0
    """Of the lids in the loss; 0 where they are a model's."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceEyes:
    """A face with both eyes."""

    sample: Sample
    """Its landmarks say where the crops are cut."""
    right: EyeTruth
    """The subject's right eye."""
    left: EyeTruth
    turn_deg: float = math.nan
    """Angle between the face's front and the way to the camera."""
    domain: str = "real"
    """"rendered", "real" or "iris labels": of which kind the truth is."""

    @property
    def eyes(self) -> tuple[EyeTruth, EyeTruth]:
        """As tracker.eyes.crop.EYES."""
        return self.right, self.left


def moved(truth: EyeTruth, points: Callable[[FloatArray], FloatArray], size: float) -> EyeTruth:
    """The truth in other pixels. points: (..., 2) → the same in the new pixels; size: new pixels for each old one."""
    return replace(truth, lids=points(truth.lids), iris=points(truth.iris[None])[0], radius=truth.radius * size)


def lid_ratio(lids: FloatArray) -> float:
    """Mean opening of the lids (6, 2) over the distance of the corners."""
    gap = np.linalg.norm(lids[[1, 2]] - lids[[5, 4]], axis=1).mean()
    return float(gap / max(np.linalg.norm(lids[3] - lids[0]), 1e-6))
