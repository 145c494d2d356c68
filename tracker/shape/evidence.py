"""Whether landmarks lie on a face that can be seen: how sure the network is of them, and what their shape is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.shape.face_shape import shape_of
from startrack.tracker.types import Landmarks

CHANCES = ("soft_argmax", "stretched_soft_argmax")
"""Decoders whose scores are chances that a landmark is where it is said to be; those of peaks are heights of a map."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Conditions on landmarks.

    Set on validation faces under synthetic covers, blur, darkness and turns, and on real clips: 99 % of the readings of
    plain faces are above 0.8, of blurred, dark and tiny ones above 0.59; those of hair, teeth and clothes 0.2 to 0.35.
    """

    birth: float = 0.4
    """Mean score from which a new face is believed."""
    life: float = 0.3
    """Mean score below which a followed face is doubted."""
    visible: float = 0.4
    """Mean visibility below which a face is mostly covered: it does not begin, and a followed one is doubted."""
    sure: float = 0.7
    """Mean score from which the shape is not asked, for the time it takes: a shape that is none is never so sure."""

    shapes: Literal["research", "free"] = "research"
    """Which faces the shape is compared to: those of photos for research, or rendered ones that are free for any
    use."""

    def is_born(self, landmarks: Landmarks, scheme: LandmarkScheme, spec: ModelSpec) -> bool:
        """Whether a new face may begin with these landmarks."""
        return self._holds(landmarks, scheme, spec, self.birth)

    def is_uncertain(self, landmarks: Landmarks, scheme: LandmarkScheme, spec: ModelSpec) -> bool:
        """Whether a followed face should end if its readings go on like this."""
        return not self._holds(landmarks, scheme, spec, self.life)

    def _holds(self, landmarks: Landmarks, scheme: LandmarkScheme, spec: ModelSpec, least: float) -> bool:
        if not scheme.left_eye or spec.decoder not in CHANCES:
            return True
        mean = float(landmarks.score.sum()) / len(landmarks.score)
        if mean >= self.sure:
            return True
        seen = landmarks.visibility
        if seen is not None and float(seen.sum()) < self.visible * len(seen):
            return False
        shape = shape_of(scheme.name, self.shapes)
        return mean >= least and (shape is None or shape.distance(landmarks.points) <= 1)
