"""The colours of faces: one for each id in turn."""

from __future__ import annotations

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (64, 224, 208), (255, 183, 77), (186, 147, 255), (158, 230, 98),
    (255, 128, 150), (100, 190, 255), (255, 232, 92), (240, 152, 240),
)  # fmt: skip
"""RGB: bright, of equal lightness, neighbours far apart in hue."""


def colour_of(face: int) -> Colour:
    """RGB of the face with this id."""
    return PALETTE[face % len(PALETTE)]
