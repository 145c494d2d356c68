"""Accuracy against time of several models, as SVG text: one panel for each test set, a dot for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np

from startrack.train.report.ced_plot import COLOURS, FAINT, INK
from startrack.train.report.svg_plot import BOTTOM, LEFT, RIGHT, TOP, axes

PANEL = (430, 340)
"""Width and height in pixels."""
LETTER, LINE = 7.2, 13.0
"""Width of a letter and height of a line in pixels, roughly: to keep labels apart."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Dot:
    """One model on one test set."""

    label: str
    time_ms: float
    error: float
    """Per cent."""
    group: int = 0
    """Dots of a group have one colour."""
    hollow: bool = False
    """Not measured in the same run."""
    joined: bool = False
    """Whether a line leads to the next dot of its group that is joined too."""


def accuracy_plot(panels: dict[str, Sequence[Dot]], *, labels: tuple[str, str], note: str) -> str:
    """Panels side by side by their titles, with equal axes from 0; labels: of the axes; note: a line below."""
    dots = [dot for panel in panels.values() for dot in panel]
    limits = (_round_up(max(dot.time_ms for dot in dots)), _round_up(max(dot.error for dot in dots)))
    width, height = PANEL[0] * len(panels), PANEL[1] + 22
    parts = []
    for number, (title, panel) in enumerate(panels.items()):
        place = f'x="{PANEL[0] * number}" width="{PANEL[0]}" height="{PANEL[1]}"'
        parts.append(f"<svg {place}>{_panel(title, panel, limits, labels)}</svg>")
    parts.append(f'<text x="{LEFT}" y="{height - 8}" font-size="11" fill="{FAINT}">{escape(note)}</text>')
    style = f'font-family="system-ui,sans-serif" font-size="12" fill="{INK}"'
    paper = f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>'
    body = paper + "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {style}>{body}</svg>'
    )


def _round_up(value: float) -> float:
    """The next multiple of 5 with some room above the value."""
    return 5 * (int(1.05 * value / 5) + 1)


def _panel(title: str, dots: Sequence[Dot], limits: tuple[float, float], labels: tuple[str, str]) -> str:
    inner = (PANEL[0] - LEFT - RIGHT, PANEL[1] - TOP - BOTTOM)
    parts = axes(limits, labels, PANEL, inner)
    parts.append(f'<text x="{LEFT + 8}" y="{TOP + 14}" font-weight="bold">{escape(title)}</text>')
    places = [(LEFT + inner[0] * dot.time_ms / limits[0], TOP + inner[1] * (1 - dot.error / limits[1])) for dot in dots]
    taken: list[Box] = [_around(x, y, 6) for x, y in places]
    for (one, (x, y)), (other, (x_to, y_to)) in pairwise(zip(dots, places, strict=True)):
        if one.joined and other.joined and one.group == other.group:
            steps = np.linspace(0, 1, 2 + int(abs(x_to - x) / 5))
            taken += [_around(x + (x_to - x) * step, y + (y_to - y) * step, 3) for step in steps]
            parts.append(
                f'<path d="M{x:.1f} {y:.1f}L{x_to:.1f} {y_to:.1f}" stroke="{_colour(one)}" stroke-width="1.8"/>'
            )
    for dot, (x, y) in zip(dots, places, strict=True):
        fill = "#FFFFFF" if dot.hollow else _colour(dot)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{_colour(dot)}" stroke-width="1.8"/>'
        )
        box = _free_place(x, y, LETTER * len(dot.label), taken, PANEL[0] - RIGHT)
        taken.append(box)
        parts.append(f'<text x="{box[0]:.1f}" y="{box[3] - 3:.1f}" fill="{_colour(dot)}">{escape(dot.label)}</text>')
    return "".join(parts)


def _colour(dot: Dot) -> str:
    return COLOURS[dot.group % len(COLOURS)]


def _free_place(x: float, y: float, width: float, taken: Sequence[Box], right: float) -> Box:
    """Where a label covers no dot and no other label: right of its dot, left, above or below, then further off."""
    half = LINE / 2
    places = [
        (left, y - half + shift, left + width, y + half + shift)
        for shift in (0, -0.9 * LINE, 0.9 * LINE, -1.5 * LINE, 1.5 * LINE, -2.2 * LINE, 2.2 * LINE)
        for left in (x + 9, x - 9 - width, x - width / 2)
        if left >= LEFT and left + width <= right
    ]
    free = (place for place in places if not any(_overlap(place, other) for other in taken))
    return next(free, places[0] if places else (x + 9, y - half, x + 9 + width, y + half))


def _around(x: float, y: float, reach: float) -> Box:
    return x - reach, y - reach, x + reach, y + reach


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
