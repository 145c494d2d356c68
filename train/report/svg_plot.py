"""Curves as SVG text, for pages that open without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from startrack.tracker.types import FloatArray
from startrack.train.report.ced_plot import COLOURS, FAINT, INK

LEFT, RIGHT, TOP, BOTTOM = 48, 14, 12, 40
MISSING_COLOUR = "#D1495B"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line; it breaks where y is nan."""

    label: str
    """Empty for none."""
    x: FloatArray
    """(N,) ascending."""
    y: FloatArray
    """(N,)."""


def svg_plot(
    curves: Sequence[Curve],
    limits: tuple[float, float],
    *,
    labels: tuple[str, str],
    size: tuple[int, int],
    marks: FloatArray | None = None,
) -> str:
    """Axes from 0 to limits (x, y) with their labels, a line per curve and a tick at the top for each x of marks.

    size: width and height in pixels; the picture scales with its place.
    """
    width, height = size
    inner = (width - LEFT - RIGHT, height - TOP - BOTTOM)

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + inner[0] * x / limits[0], TOP + inner[1] * (1 - y / limits[1])

    parts = axes(limits, labels, size, inner)
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round" points="{run}"/>'
            for run in _runs(curve, place)
        ]
        if curve.label:
            y = TOP + inner[1] - 14 - 18 * (len(curves) - 1 - number)
            x = LEFT + inner[0] - 110
            parts.append(f'<path d="M{x - 26} {y - 4}h20" stroke="{colour}" stroke-width="3"/>')
            parts.append(f'<text x="{x}" y="{y}">{escape(curve.label)}</text>')
    for mark in [] if marks is None else marks.tolist():
        across = place(mark, 0)[0]
        parts.append(f'<path d="M{across:.1f} {TOP}v{inner[1]}" stroke="{MISSING_COLOUR}" stroke-opacity=".35"/>')
    style = f'font-family="system-ui,sans-serif" font-size="12" fill="{INK}"'
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {style}>{body}</svg>'
    )


def axes(
    limits: tuple[float, float], labels: tuple[str, str], size: tuple[int, int], inner: tuple[int, int]
) -> list[str]:
    """Grid, ticks and labels from 0 to limits (x, y). size: of the picture, inner: of what lies between the axes."""
    height = size[1]
    parts = []
    for part in np.linspace(0, 1, 6):
        x, y = LEFT + inner[0] * part, TOP + inner[1] * (1 - part)
        parts.append(f'<path d="M{LEFT} {y:.1f}h{inner[0]}" stroke="#E4E6EA"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(limits[1] * part)}</text>')
        parts.append(f'<text x="{x:.1f}" y="{height - 22}" text-anchor="middle">{_tick(limits[0] * part)}</text>')
    parts.append(f'<path d="M{LEFT} {TOP + inner[1]}h{inner[0]}" stroke="{FAINT}"/>')
    parts.append(f'<text x="{LEFT + inner[0] / 2}" y="{height - 5}" text-anchor="middle">{escape(labels[0])}</text>')
    middle = TOP + inner[1] / 2
    parts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(labels[1])}</text>'
    )
    return parts


def _tick(value: float) -> str:
    return f"{round(value, 1):g}" if value < 20 else f"{value:.0f}"


def _runs(curve: Curve, place: Callable[[float, float], tuple[float, float]]) -> list[str]:
    """Points of each stretch without nan."""
    known = np.isfinite(curve.y)
    starts = np.flatnonzero(known & ~np.append(False, known[:-1]))
    ends = np.flatnonzero(known & ~np.append(known[1:], False)) + 1
    return [
        " ".join("{:.1f},{:.1f}".format(*place(*pair)) for pair in zip(curve.x[a:b], curve.y[a:b], strict=True))
        for a, b in zip(starts, ends, strict=True)
    ]
