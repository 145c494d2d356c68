"""Names of the contents of tables; imports nothing, so that the command line knows them at once."""

from __future__ import annotations

FIELDS = {
    "box": "bounding box of the landmarks, frame pixels",
    "points": "landmarks, frame pixels",
    "scores": "score of each landmark, 0 to 1",
    "covariance": "covariance of each landmark, px²",
    "visibility": "visibility of each landmark, 0 to 1",
    "eyes": "irises: centre, radius, visibility; opening of the lids",
    "gaze": "direction in which both eyes look, and each",
    "pose": "rotation of the head, in CSV also its position",
    "signals": "eyes and mouth, 0 shut to 1 open",
    "blendshapes": "ARKit's blendshapes, 0 to 1",
}
"""Field → its meaning, in the order of columns."""
DERIVED = frozenset({"pose", "signals", "blendshapes"})
"""Fields of models that have iBUG's 68 landmarks."""
OF_EYES = frozenset({"eyes", "gaze"})
"""Fields of runs that read the eyes."""


def parse_fields(text: str) -> tuple[str, ...]:
    """ "points,pose" → the fields in the order of FIELDS. Raises ValueError if one is unknown or none is named."""
    named = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(named - FIELDS.keys())
    if unknown or not named:
        raise ValueError(f"{', '.join(unknown) or repr(text)}; expected some of {','.join(FIELDS)}")
    return tuple(name for name in FIELDS if name in named)
