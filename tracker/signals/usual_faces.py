"""Usual faces, measured on photos for research or on rendered ones that are free for any use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from startrack.tracker.signals.head_model import PHOTO_HEAD
from startrack.tracker.signals.neutral import PHOTO_LIMITS, NeutralLimits
from startrack.tracker.signals.rendered_faces import RENDERED_HEAD, RENDERED_LIMITS
from startrack.tracker.types import HeadModel


@dataclass(frozen=True, slots=True, eq=False)
class UsualFaces:
    """The reference of a face's signals."""

    head: HeadModel
    limits: NeutralLimits


PHOTO_FACES = UsualFaces(PHOTO_HEAD, PHOTO_LIMITS)
"""Of 300W's training faces, whose pictures are for non-commercial research."""
RENDERED_FACES = UsualFaces(RENDERED_HEAD, RENDERED_LIMITS)
"""Of rendered faces: no photo and no trained model went in."""
USUAL_FACES: dict[Literal["research", "free"], UsualFaces] = {"research": PHOTO_FACES, "free": RENDERED_FACES}
"""Licence of a run (engines.zoo.Licence) → the reference of its signals."""
