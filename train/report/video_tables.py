"""Tables of an evaluation on 300VW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from startrack.train.report.tables import markdown_table
from startrack.train.video_evaluation.results import SetFigures

HEADER = (
    "68 points, inter-ocular", "videos", "frames", "coverage", "NME frames", "NME videos", "95 %", "AUC@7", "AUC@8",
    "FR@8", "FR@10", "49 NME", "49 AUC@8", "e1", "e2", "e3", "e4", "fps",
)  # fmt: skip


def category_cells(figures: Mapping[str, SetFigures]) -> list[list[str]]:
    """A row per category below HEADER, all in per cent but e1 (frames) and counts; a dash where it is unknown."""
    return [_row(name, each) for name, each in figures.items()]


def category_table(figures: Mapping[str, SetFigures]) -> str:
    """The same as Markdown."""
    return markdown_table(HEADER, category_cells(figures))


def causal_lines(figures: Mapping[str, SetFigures]) -> list[str]:
    """The figures of the smoother without look-ahead, a line per category that has any."""
    return [
        f"{name} without look-ahead: NME videos {decimals(each.causal.nme_percent)}, "
        f"e1 {decimals(each.causal.stability.e1_delay_frames)}, "
        f"e2 {decimals(each.causal.stability.e2_rmse_percent)}, "
        f"e3 {decimals(each.causal.stability.e3_jitter_percent)}, "
        f"e4 {decimals(each.causal.stability.e4_jitter_percent)}"
        for name, each in figures.items()
        if each.causal
    ]


def _row(name: str, each: SetFigures) -> list[str]:
    main, inner = each.measures[68, "inter_ocular"], each.measures[49, "inter_ocular"]
    low, high = main.nme_video_interval
    stable = each.stability
    return [
        name,
        str(each.counts.videos),
        str(each.counts.scored),
        decimals(each.coverage),
        decimals(main.nme),
        decimals(main.nme_video),
        f"{decimals(low)} to {decimals(high)}",
        *(decimals(value) for value in (main.auc7, main.auc8, main.fr8, main.fr10, inner.nme, inner.auc8)),
        decimals(stable.e1_delay_frames),
        *(decimals(value) for value in (stable.e2_rmse_percent, stable.e3_jitter_percent, stable.e4_jitter_percent)),
        decimals(each.decoded / each.seconds.total if each.seconds.total else float("nan"), 0),
    ]


def decimals(value: float | None, digits: int = 2) -> str:
    """A dash for nan and None."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def settings_text(how: Mapping[str, Any]) -> str:
    """What made the results, in a line."""
    parts = [f"{name}: {value}" for name, value in how["settings"].items()]
    model = how["model"]["file"] if how.get("model") else "a model without a file"
    detector = f", detector {how['detector']['name']}" if "detector" in how else ""
    return f"{model}{detector}; {', '.join(parts)}"
