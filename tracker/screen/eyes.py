"""Eyes of a face → a circle around each iris, and a ray along the gaze."""

from __future__ import annotations

import numpy as np

from startrack.tracker.palette import Colour
from startrack.tracker.screen.brush import Brush
from startrack.tracker.types import Eyes, FloatArray

RAY = 0.45
"""Length of the ray of a gaze across the line of sight, in sides of the face's box."""
LEAST_VISIBLE = 0.25
"""An eye whose iris is less visible has neither circle nor ray."""
_TURN = np.linspace(0, 2 * np.pi, 25)
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
"""(25, 2), closed."""


def paint_eyes(brush: Brush, eyes: Eyes, box: FloatArray, *, width: float, colour: Colour) -> None:
    """box: (4,) xyxy of the face; width: of the lines, frame pixels."""
    seen = np.flatnonzero(np.asarray(eyes.visible, np.float64) >= LEAST_VISIBLE).tolist()
    circles: list[FloatArray] = [eyes.iris[eye] + eyes.radius[eye] * CIRCLE for eye in seen]
    along = RAY * float((box[2:] - box[:2]).max()) * np.asarray(eyes.gaze[:2], np.float64)
    rays: list[FloatArray] = [np.stack([eyes.iris[eye], eyes.iris[eye] + along]) for eye in seen]
    if seen:
        brush.halo([*circles, *rays], width=width)
        brush.lines(rays, width=1.4 * width, colour=colour)
        brush.lines(circles, width=width, colour=colour)
