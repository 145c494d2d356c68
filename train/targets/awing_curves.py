"""The curves of Adaptive Wing's boundary map, as its published code draws them, by markup.

[DIFF] The published list for WFLW has only the upper edges of the brows and that for COFW no jaw; AFLW's right brow has
two points of its three there, a slip of a slice. Lips and eyes are two curves each.
"""

from __future__ import annotations

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme

Curves = tuple[tuple[int, ...], ...]


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


# fmt: off
_CURVES: dict[str, Curves] = {
    IBUG_68.name: (
        _span(0, 16), _span(17, 21), _span(22, 26), _span(36, 39), (36, 41, 40, 39), _span(42, 45), (42, 47, 46, 45),
        _span(27, 30), _span(31, 35), _span(48, 54), _span(60, 64), (48, 59, 58, 57, 56, 55, 54), (60, 67, 66, 65, 64),
    ),
    WFLW_98.name: (
        _span(0, 32), _span(33, 37), _span(42, 46), _span(60, 64), (60, 67, 66, 65, 64), _span(68, 72),
        (68, 75, 74, 73, 72), _span(51, 54), _span(55, 59), _span(76, 82), _span(88, 92),
        (76, 87, 86, 85, 84, 83, 82), (88, 95, 94, 93, 92),
    ),
    COFW_29.name: (
        (0, 4, 2), (0, 5, 2), (1, 6, 3), (1, 7, 3), (8, 12, 10), (8, 13, 10), (9, 14, 11), (9, 15, 11), (18, 21, 19),
        (22, 24, 23), (22, 25, 23), (22, 26, 23), (22, 27, 23),
    ),
}
# fmt: on
AFLW_CURVES: Curves = (_span(0, 2), (3, 4), _span(6, 8), _span(9, 11), _span(12, 14))
"""Of the 19 points of AFLW, for which there is no loader here: for comparison with the published code only."""


def boundary_curves(scheme: LandmarkScheme) -> Curves:
    """Landmarks along each curve. Raises KeyError for a markup without a boundary."""
    return _CURVES[scheme.name]
