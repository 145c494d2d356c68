"""The latency of several engines as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from startrack.train.report.ced_plot import COLOURS, FAINT, INK


class CallTime(NamedTuple):
    """Wall time of one call of an engine."""

    batch: int
    """Faces in the call."""
    median_ms: float
    p99_ms: float


def plot_engines(engines: Mapping[str, Sequence[CallTime]], path: Path, *, notes: Mapping[str, str]) -> None:
    """Draw milliseconds per face, one row per engine and one mark per batch size, and write it as `path`'s suffix asks.

    A mark is the median, the line to its right ends at the 99th percentile. notes: label → text at the end of
    its row. Needs matplotlib (startrack[train]).
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(8.6, 1.5 + 0.62 * len(engines)), dpi=160, facecolor="white", layout="constrained")
    axes = figure.subplots()
    sizes = sorted({one.batch for batches in engines.values() for one in batches})
    for number, size in enumerate(sizes):
        offset, colour = 0.18 * (number - (len(sizes) - 1) / 2), COLOURS[number % len(COLOURS)]
        marks = [
            (row + offset, one.median_ms / size, one.p99_ms / size)
            for row, batches in enumerate(engines.values())
            for one in batches
            if one.batch == size
        ]
        rows, medians, tails = zip(*marks, strict=True)
        axes.hlines(rows, medians, tails, color=colour, linewidth=1.6, alpha=0.6)
        axes.plot(medians, rows, "o", color=colour, markersize=5.5, label=f"{size} face{'s' * (size > 1)} a call")
    for row, label in enumerate(engines):
        axes.text(1.01, row, notes.get(label, ""), transform=axes.get_yaxis_transform(), va="center", fontsize=8,
                  color=INK)  # fmt: skip
    axes.set_yticks(range(len(engines)), [label.replace("$", r"\$") for label in engines], fontsize=9, color=INK)
    axes.set_ylim(len(engines) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("milliseconds per face: median, and line to the 99th percentile", fontsize=9.5, color=INK)
    axes.set_title("Engines on the same crops", loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=24)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(sizes), fontsize=8.5, frameon=False, labelcolor=INK)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="x", color="#E4E6EA", linewidth=0.8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.set_axisbelow(True)
    figure.savefig(path)
