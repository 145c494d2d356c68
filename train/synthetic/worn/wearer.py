"""What those who dress a head know of it."""

# V head vertices

from __future__ import annotations

from dataclasses import dataclass

from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.head.identity import Identity
from startrack.train.synthetic.parts import Parts
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.surface.skin import SkinStyle


@dataclass(slots=True, eq=False)
class Wearer:
    """A bare head that hair, beard and things are added to."""

    studio: Studio
    identity: Identity
    base: Floats
    """(V, 3) the neutral head, cm."""
    landmarks: Floats
    """(68, 3) of the neutral head, cm."""
    parts: Parts
    """Where meshes, shells and materials are added."""
    skin_style: SkinStyle
    """Replaced by what paints on the skin: stubble, the roots of the hair."""
