"""Eyes and gaze of a face as objects of JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from startrack.tracker.types import Eyes, FloatArray

# decimals
PIXELS, SQUARE_PIXELS, PROBABILITY, UNIT, DEGREES = 3, 4, 4, 5, 2


def eyes_to_json(eyes: Eyes, fields: Collection[str]) -> dict[str, Any]:
    """Of the fields "eyes" and "gaze" those that are asked for; the face's own right eye comes first:

    "eyes": {"iris": [[x, y], [x, y]], "radius": [r, r], "covariance": [[xx, xy, yy], …], "visible": [v, v],
    "openness": [o, o]} and "gaze": {"direction": [x, y, z], "in_head": [x, y, z], "of_each": [[x, y, z], …],
    "spread_deg"}, see tracker.types.Eyes.
    """
    record = dict[str, Any]()
    if "eyes" in fields:
        record["eyes"] = {
            "iris": _rounded(eyes.iris, PIXELS),
            "radius": _rounded(eyes.radius, PIXELS),
            "covariance": _rounded(eyes.covariance[:, [0, 0, 1], [0, 1, 1]], SQUARE_PIXELS),
            "visible": _rounded(eyes.visible, PROBABILITY),
            "openness": _rounded(eyes.openness, PROBABILITY),
        }
    if "gaze" in fields:
        record["gaze"] = {
            "direction": _rounded(eyes.gaze, UNIT),
            "in_head": _rounded(eyes.gaze_in_head, UNIT),
            "of_each": _rounded(eyes.gaze_of_each, UNIT),
            "spread_deg": round(math.degrees(eyes.spread_rad), DEGREES),
        }
    return record


def eyes_from_json(face: Mapping[str, Any]) -> Eyes | None:
    """The eyes of a face's object, up to the rounding; None unless both fields are there.

    Raises LookupError, TypeError or ValueError where an entry is not as written.
    """
    if "eyes" not in face or "gaze" not in face:
        return None
    eyes, gaze = face["eyes"], face["gaze"]
    upper = _shaped(eyes["covariance"], 2, 3)
    return Eyes(
        iris=_shaped(eyes["iris"], 2, 2),
        radius=_shaped(eyes["radius"], 2),
        covariance=upper[:, [0, 1, 1, 2]].reshape(2, 2, 2),
        visible=_shaped(eyes["visible"], 2),
        openness=_shaped(eyes["openness"], 2),
        gaze=_shaped(gaze["direction"], 3),
        gaze_of_each=_shaped(gaze["of_each"], 2, 3),
        gaze_in_head=_shaped(gaze["in_head"], 3),
        spread_rad=math.radians(gaze["spread_deg"]),
    )


def _shaped(values: object, *shape: int) -> FloatArray:
    found = np.asarray(values, np.float64)
    if found.shape != shape:
        raise ValueError(f"eyes: numbers of shape {found.shape}; expected {shape}")
    return found


def _rounded(values: FloatArray, decimals: int) -> Any:
    return np.asarray(values, np.float64).round(decimals).tolist()
