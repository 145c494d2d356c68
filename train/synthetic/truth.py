"""The exact facts of a rendered face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats


@dataclass(frozen=True, slots=True, eq=False)
class FaceTruth:
    """One rendered face. Right and left are the subject's; the camera's frame has x to the right, y down, z away."""

    landmarks: NDArray[np.float64]
    """(68, 2) px, 0-based, with 300W's convention for the outline."""
    landmarks_cm: Floats
    """(68, 3) in the camera's frame."""
    visible: NDArray[np.bool_]
    """(68,) whether the camera sees them."""
    iris: NDArray[np.float64]
    """(2, 2) px, centres of the right and left iris."""
    iris_cm: Floats
    """(2, 3) in the camera's frame."""
    iris_visible: NDArray[np.bool_]
    """(2,) whether the camera sees them through open lids."""
    gaze_deg: tuple[float, float]
    """Angles of the eyes in the head: to the subject's left, and up."""
    gaze: Floats
    """(3,) unit direction of the eyes in the camera's frame."""
    yaw_deg: float
    """Turn of the head, positive to the subject's left."""
    pitch_deg: float
    """Positive downwards."""
    roll_deg: float
    """Positive counter-clockwise in the picture."""
    turn_deg: float
    """Angle between the face's front and the way to the camera, about the head's vertical axis: with a near camera it
    differs from the yaw."""
    rotation: NDArray[np.float64]
    """(3, 3) from the head's frame to the camera's."""
    blendshapes: dict[str, float]
    """Weight of each of the head model's expression shapes, ARKit's names with _L and _R."""
    expression: str
    """Kind of expression that was drawn."""
    identity: Floats
    """(S,) weights of the identity shapes."""
    age_years: float
    melanin: float
    """Of the skin, 0 to 1."""
    attributes: dict[str, str]
    """Worn and grown things, e.g. glasses: sunglasses; absent kinds are left out."""
    distance_cm: float
    """From the camera to the landmarks' mean."""
    focal_px: float

    def to_json(self) -> dict[str, object]:
        """Plain numbers, rounded to a thousandth: everything but the landmarks in pixels."""
        return {
            "landmarks_cm": _rounded(self.landmarks_cm),
            "visible": [int(v) for v in self.visible],
            "iris": _rounded(self.iris),
            "iris_cm": _rounded(self.iris_cm),
            "iris_visible": [int(v) for v in self.iris_visible],
            "gaze_deg": _rounded(np.array(self.gaze_deg)),
            "gaze": _rounded(self.gaze, 5),
            "yaw_deg": round(self.yaw_deg, 3),
            "pitch_deg": round(self.pitch_deg, 3),
            "roll_deg": round(self.roll_deg, 3),
            "turn_deg": round(self.turn_deg, 3),
            "rotation": _rounded(self.rotation, 6),
            "blendshapes": {name: round(value, 4) for name, value in self.blendshapes.items() if value},
            "expression": self.expression,
            "identity": _rounded(self.identity),
            "age_years": round(self.age_years, 1),
            "melanin": round(self.melanin, 3),
            "attributes": self.attributes,
            "distance_cm": round(self.distance_cm, 2),
            "focal_px": round(self.focal_px, 3),
        }


def _rounded(values: NDArray[np.floating], digits: int = 3) -> list[object]:
    rows: list[object] = np.round(np.asarray(values, np.float64), digits).tolist()
    return rows
