"""Facts about landmark numberings as frozen values: points, flip pairs, drawing edges, eyes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Edge:
    """A curve through landmarks, drawn and used as a boundary channel."""

    name: str
    indices: tuple[int, ...]
    closed: bool = False


@dataclass(frozen=True)
class LandmarkScheme:
    """How the landmarks of a markup are numbered (0-based)."""

    name: str
    num_landmarks: int
    flip_pairs: tuple[tuple[int, int], ...]
    """Landmarks that change places when the picture is mirrored; the others stay."""
    edges: tuple[Edge, ...]
    left_eye: tuple[int, ...]
    """Landmarks around the eye on the picture's left; their mean is the eye's centre."""
    right_eye: tuple[int, ...]
    inter_ocular: tuple[int, int]
    """Outer eye corners: the usual normaliser of NME."""

    @cached_property
    def flip_order(self) -> NDArray[np.intp]:
        """(K,) landmark k of the mirrored picture is landmark flip_order[k] of the original; its own inverse."""
        order = np.arange(self.num_landmarks)
        for first, second in self.flip_pairs:
            order[first], order[second] = second, first
        return order


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


# fmt: off
IBUG_68 = LandmarkScheme(
    name="ibug_68",
    num_landmarks=68,
    flip_pairs=(
        *((k, 16 - k) for k in range(8)),
        *((17 + k, 26 - k) for k in range(5)),
        (31, 35), (32, 34),
        (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
        (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),
        (60, 64), (61, 63), (65, 67),
    ),
    edges=(
        Edge("jaw", _span(0, 16)),
        Edge("left brow", _span(17, 21)),
        Edge("right brow", _span(22, 26)),
        Edge("nose ridge", _span(27, 30)),
        Edge("nostrils", _span(31, 35)),
        Edge("left eye", _span(36, 41), closed=True),
        Edge("right eye", _span(42, 47), closed=True),
        Edge("outer lips", _span(48, 59), closed=True),
        Edge("inner lips", _span(60, 67), closed=True),
    ),
    left_eye=_span(36, 41),
    right_eye=_span(42, 47),
    inter_ocular=(36, 45),
)
# fmt: on
"""iBUG 300W markup (Sagonas et al., 2013): jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67."""

SCHEMES: dict[str, LandmarkScheme] = {scheme.name: scheme for scheme in (IBUG_68,)}
"""Every numbering a model file may name."""
