"""A container's display matrix → how its pictures are turned and mirrored before they are shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray


class Turn(NamedTuple):
    """One of the eight ways to lay a picture on a grid of pixels; the steps in the order of the fields."""

    transpose: bool = False
    """Rows become columns."""
    mirror: bool = False
    """Left and right are exchanged."""
    flip: bool = False
    """Top and bottom are exchanged."""


QUARTER_TURNS = (Turn(), Turn(True, False, True), Turn(False, True, True), Turn(True, True, False))
"""Turns to the left by 0, 90, 180 and 270 degrees."""


def turn_of(matrix: NDArray[np.int32]) -> Turn:
    """matrix: the nine numbers of ISO/IEC 14496-12 (tkhd), a point's x' = a·x + c·y and y' = b·x + d·y in pixels that
    count downwards. Other angles than quarter turns become the nearest one."""
    a, b, _, c, d = (int(value) for value in matrix.ravel()[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)


def upright(image: ImageArray, turn: Turn) -> ImageArray:
    """(H, W, 3) or (W, H, 3), C-contiguous. The picture itself if nothing is turned."""
    turned = image.swapaxes(0, 1) if turn.transpose else image
    turned = turned[:: -1 if turn.flip else 1, :: -1 if turn.mirror else 1]
    return np.ascontiguousarray(turned)
