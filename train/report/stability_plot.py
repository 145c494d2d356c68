"""Jitter and delay against smoothing strength: one panel for each scenario, one curve for each smoother."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from startrack.train.report.ced_plot import COLOURS, FAINT, INK

WORDS = {
    "jitter_percent": "jitter, % of the face",
    "delay_frames": "delay, frames",
    "opening_lag_frames": "delay of the opening, frames",
}


def plot_curves(
    scenarios: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]], path: Path, *, columns: int = 3
) -> None:
    """Draw jitter over delay and write it as the suffix of `path` asks for.

    scenarios: scenario → smoother → figures (train.motion.benchmark.mean_figures) from weak to strong smoothing.
    A scenario without a delay (a still head) is left out; that of lids or lips takes the place of the head's where
    there is one. Needs matplotlib (startrack[train]).
    """
    from matplotlib.figure import Figure

    drawn = {name: curves for name, curves in scenarios.items() if any("delay_frames" in one for one in _all(curves))}
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.9 * max(rows, 1)), facecolor="white", layout="constrained")
    for number, (scenario, curves) in enumerate(drawn.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        delay = "opening_lag_frames" if "opening_lag_frames" in _all(curves)[0] else "delay_frames"
        for colour, (label, points) in zip(COLOURS, curves.items(), strict=False):
            x, y = ([one.get(key, float("nan")) for one in points] for key in (delay, "jitter_percent"))
            axes.plot(x, y, "o-", color=colour, markersize=3.5, linewidth=1.6, label=label)
        axes.set_title(scenario, loc="left", fontsize=10.5, fontweight="bold", color=INK)
        axes.set_xlabel(WORDS[delay], fontsize=8.5, color=INK)
        axes.set_ylabel(WORDS["jitter_percent"], fontsize=8.5, color=INK)
        axes.set_ylim(bottom=0)
        axes.tick_params(length=0, labelsize=8, colors=INK)
        axes.grid(color="#E4E6EA", linewidth=0.8)
        for side in axes.spines.values():
            side.set_color(FAINT)
        if number == 0:
            axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    figure.savefig(path)


def _all(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Mapping[str, float]]:
    return [one for points in curves.values() for one in points]
