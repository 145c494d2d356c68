"""The CED curves of several models as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from startrack.tracker.types import FloatArray
from startrack.train.metrics.nme import area_under_ced, ced, failure_rate
from startrack.train.metrics.protocols import IBUG_300W_PROTOCOL, EvalProtocol
from startrack.train.report.tables import NORMALISER_WORDS

COLOURS = ("#0B6E99", "#D1495B", "#2E933C", "#8E5BB5", "#C98A00", "#4A4E69")
"""Distinct in print and for colour-blind readers; the first is for our own model."""
INK, FAINT = "#2B2D33", "#9AA0A8"


def plot_ced(
    faces: Mapping[str, FloatArray],
    path: Path,
    *,
    protocol: EvalProtocol = IBUG_300W_PROTOCOL,
    title: str | None = None,
) -> None:
    """Draw one CED per label and write it as PNG, or whatever the suffix of `path` asks for.

    faces: label → (N,) NMEs as ratios (Evaluation.nme), drawn up to the protocol's largest threshold; the legend
    gives NME, FR and AUC there, in per cent. Needs matplotlib (startrack[train]).
    """
    from matplotlib.figure import Figure

    limit = max(protocol.thresholds)
    figure = Figure(figsize=(7.2, 4.6), dpi=160, facecolor="white", layout="constrained")
    axes = figure.subplots()
    _style(axes, protocol, title or f"Cumulative error distribution, {protocol.name}")
    grid = np.linspace(0, limit, 1001)
    for number, (label, nmes) in enumerate(faces.items()):
        # after one round of colours the dashes distinguish the curves
        dashes = "-" if number < len(COLOURS) else "--"
        axes.plot(
            100 * grid,
            100 * ced(nmes, grid),
            dashes,
            color=COLOURS[number % len(COLOURS)],
            linewidth=2.4 if number == 0 else 1.7,
            zorder=10 - 0.1 * number,
            solid_capstyle="round",
            label=_caption(label, nmes, limit),
        )
    if faces:
        legend = axes.legend(
            loc="lower right",
            fontsize=8.5,
            labelcolor=INK,
            handlelength=1.6,
            facecolor="white",
            edgecolor="none",
            framealpha=1.0,
        )
        legend.set_zorder(20)
    figure.savefig(path)


def _caption(label: str, nmes: FloatArray, limit: float) -> str:
    at = f"@{100 * limit:g}"
    rate, area = 100 * failure_rate(nmes, limit), 100 * area_under_ced(nmes, limit)
    # a dollar sign would start a formula
    return f"{label}\nNME {100 * float(np.mean(nmes)):.2f}   FR{at} {rate:.2f}   AUC{at} {area:.1f}".replace("$", r"\$")


def _style(axes: Any, protocol: EvalProtocol, title: str) -> None:
    limit = 100 * max(protocol.thresholds)
    axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=12)
    axes.set_xlabel(f"NME, % of {NORMALISER_WORDS[protocol.normaliser]}", fontsize=9.5, color=INK)
    axes.set_ylabel("faces with at most this error, %", fontsize=9.5, color=INK)
    axes.set_xlim(0, limit)
    axes.set_ylim(0, 101)
    axes.set_xticks(np.arange(0, limit + 0.5, 1 if limit <= 12 else 2))
    axes.set_yticks(np.arange(0, 101, 20))
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.grid(axis="y", color="#E4E6EA", linewidth=0.8)
    for threshold in protocol.thresholds[:-1]:
        axes.axvline(100 * threshold, color=FAINT, linewidth=0.8, dashes=(3, 3), zorder=1)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.set_axisbelow(True)
