"""Series → lines of SVG that stretch with the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from startrack.tracker.sinks.report.timeline import CHANNELS, Series

HEIGHT = 100
"""Units of a chart from its lower to its upper end."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture of several lines on the same scale."""

    title: str
    unit: str
    lines: tuple[tuple[str, int], ...]
    """Name → column of the series."""
    low: float | None = None
    high: float | None = None
    """Ends of the scale; None: as the values need them."""


def _column(name: str) -> int:
    return CHANNELS.index(name)


FACE_CHARTS = (
    Chart("Head pose", "°", tuple((name, _column(name)) for name in ("pitch", "yaw", "roll"))),
    Chart("Eyes", "open", (("right", _column("right_eye")), ("left", _column("left_eye"))), 0, 1),
    Chart("Mouth", "open", (("mouth", _column("mouth")),), 0, 1),
    Chart("Certainty", "score", (("certainty", _column("certainty")),), 0, 1),
    Chart("Speed", "eye distances / s", (("speed", _column("speed")),), 0),
)
RUN_CHARTS = (Chart("Tracking", "ms a frame", (("latency", 0),), 0), Chart("Faces", "in the frame", (("faces", 1),), 0))


def draw(chart: Chart, series: Series, count: int) -> str:
    """A figure of the chart; empty if none of its values is known. count: time steps of the whole width."""
    known = [(name, column) for name, column in chart.lines if np.isfinite(series.mean[:, column]).any()]
    if not known:
        return ""
    low, high = _scale(chart, series, [column for _, column in known])
    drawn, keys = [], []
    for number, (name, column) in enumerate(known):
        kind = f"line{number}"
        area = "".join(_area(series, column, part, low, high) for part in _runs(series, column))
        line = "".join(_line(series, column, part, low, high) for part in _runs(series, column))
        drawn.append(f'<path class="area {kind}" d="{area}"/><path class="mean {kind}" data-name="{name}" d="{line}"/>')
        keys.append(f'<span class="key {kind}">{name}</span>')
    zero = (0 - low) / (high - low) * HEIGHT
    rule = f'<path class="rule" d="M0,{HEIGHT - zero:.1f}H{count}"/>' if low < 0 < high else ""
    legend = "".join(keys) if len(known) > 1 else ""
    return (
        f'<figure class="chart"><figcaption><b>{chart.title}</b> <i>{chart.unit}</i>{legend}</figcaption>'
        f'<div class="plot" data-low="{low:g}" data-high="{high:g}"><span class="top">{high:g}</span>'
        f'<span class="bottom">{low:g}</span><svg viewBox="0 0 {count} {HEIGHT}" preserveAspectRatio="none">'
        f'{rule}{"".join(drawn)}</svg><span class="cursor"></span><span class="reading"></span></div></figure>'
    )


def _scale(chart: Chart, series: Series, columns: Sequence[int]) -> tuple[float, float]:
    """Round ends that hold all values."""
    least = float(np.nanmin(series.least[:, columns])) if chart.low is None else chart.low
    most = float(np.nanmax(series.most[:, columns])) if chart.high is None else chart.high
    if chart.low is None and chart.high is None:
        most = least = max(abs(least), abs(most), 1e-9)
        step = _round_step(most)
        return -math.ceil(most / step) * step, math.ceil(most / step) * step
    step = _round_step(max(most - least, 1e-9))
    return least, most if chart.high is not None else least + max(math.ceil((most - least) / step), 1) * step


def _round_step(value: float) -> float:
    """1, 2 or 5 times a power of ten: a fifth to a half of the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (0.2, 0.5, 1.0) if value / power <= 10 * factor)


def _runs(series: Series, column: int) -> Iterator[slice]:
    """Parts of the series without a gap: the steps follow each other and the value is known."""
    known = np.isfinite(series.mean[:, column])
    breaks = np.flatnonzero((np.diff(series.steps) > _reach(series)) | (np.diff(known.astype(int)) != 0)) + 1
    for part in np.split(np.arange(len(known)), breaks):
        if len(part) and known[part[0]]:
            yield slice(int(part[0]), int(part[-1]) + 1)


def _reach(series: Series) -> int:
    """Steps from one frame to the next in a short clip, where most steps hold none."""
    gaps = np.diff(series.steps)
    return max(1, round(3 * float(np.median(gaps)))) if len(gaps) else 1


def _y(values: np.ndarray, low: float, high: float) -> list[str]:
    scaled = HEIGHT - (np.clip(values, low, high) - low) / (high - low) * HEIGHT
    return [f"{value:.1f}".removesuffix(".0") for value in scaled.tolist()]


def _line(series: Series, column: int, part: slice, low: float, high: float) -> str:
    steps, heights = series.steps[part].tolist(), _y(series.mean[part, column], low, high)
    points = [f"{x},{y}" for x, y in zip(steps, heights, strict=True)]
    return "M" + "L".join(points) + ("h.5" if len(points) == 1 else "")


def _area(series: Series, column: int, part: slice, low: float, high: float) -> str:
    """From least to most, where they differ."""
    least, most = series.least[part, column], series.most[part, column]
    if len(least) < 2 or not (most - least > (high - low) / 100).any():
        return ""
    steps = series.steps[part].tolist()
    upper = [f"{x},{y}" for x, y in zip(steps, _y(most, low, high), strict=True)]
    lower = [f"{x},{y}" for x, y in zip(steps, _y(least, low, high), strict=True)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"


def spans(series: Series, count: int) -> list[tuple[float, float]]:
    """Where a face was seen: left end and width, per cent of the whole time."""
    gaps = np.flatnonzero(np.diff(series.steps) > _reach(series)) + 1
    parts = np.split(series.steps, gaps)
    return [(100 * int(part[0]) / count, 100 * (int(part[-1]) - int(part[0]) + 1) / count) for part in parts]
