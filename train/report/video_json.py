"""Results of an evaluation on 300VW as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from startrack.train.metrics.rounding import rounded
from startrack.train.sets.ibug_300vw_protocol import CATEGORIES
from startrack.train.video_evaluation.measures import MEASURES, error_figures
from startrack.train.video_evaluation.results import (
    SetFigures,
    VideoResult,
    figures_by_category,
    measure_name,
    nan_to_none,
    problems,
)

UNITS_NOTE = "per cent, but e1 in frames and seconds; null where the figure is unknown"


def video_row(video: VideoResult) -> dict[str, Any]:
    """The figures of one video, flat: a row of the CSV."""
    row: dict[str, Any] = {
        "video": video.id,
        "category": video.category,
        "annotated": len(video.numbers),
        "expected": video.expected,
        "scored": int(video.scored.sum()),
        "missing": int(np.isnan(video.scored_errors()).sum()),
        "coverage": 100 * video.coverage,
    }
    for measure in MEASURES:
        figures = error_figures([video.scored_errors(measure)])
        name = measure_name(measure)
        row |= {f"nme_{name}": figures.nme, f"auc7_{name}": figures.auc7, f"auc8_{name}": figures.auc8}
        row |= {f"fr8_{name}": figures.fr8, f"fr10_{name}": figures.fr10}
    row |= asdict(video.stability)
    if video.causal:
        row |= {"causal_nme_68_inter_ocular": video.causal.nme_percent}
        row |= {f"causal_{name}": value for name, value in asdict(video.causal.stability).items()}
    row |= {f"{name}_s": value for name, value in asdict(video.seconds).items()}
    return row | {"decoded_frames": video.decoded, "note": video.note}


def set_entry(figures: SetFigures) -> dict[str, Any]:
    """One category as nested figures."""
    seconds = figures.seconds
    needed = seconds.decode + seconds.detect + seconds.engine
    return {
        "counts": asdict(figures.counts) | {"complete": figures.counts.complete},
        "coverage": figures.coverage,
        **{measure_name(each): asdict(measure) for each, measure in figures.measures.items()},
        "stability": asdict(figures.stability),
        **({"causal": asdict(figures.causal)} if figures.causal else {}),
        "seconds": asdict(seconds),
        "frames_per_second": figures.decoded / seconds.total if seconds.total else float("nan"),
        "total_over_decoding_and_models": seconds.total / needed if needed else float("nan"),
    }


def results_json(videos: Sequence[VideoResult], missing: Sequence[str], how: Mapping[str, Any]) -> str:
    """Indented JSON. how: the model and the settings; missing: ids of videos that are not there."""
    figures = figures_by_category(videos)
    content = {
        **how,
        "data": set_name(figures),
        "units": UNITS_NOTE,
        "problems": problems(videos, missing),
        "categories": {name: set_entry(each) for name, each in figures.items()},
        "videos": {video.id: video_row(video) for video in videos},
    }
    return json.dumps(nan_to_none(rounded(content)), indent=1, allow_nan=False)


def set_name(figures: Mapping[str, SetFigures]) -> str:
    """ "300VW", or what part of its tests was there: figures of a part do not compare with published ones."""
    parts = [
        f"{name} {each.counts.videos} of {each.counts.expected_videos} videos, "
        f"{each.counts.scored} of {each.counts.expected_scored} scored frames"
        for name, each in figures.items()
        if name != "all" and not each.counts.complete
    ]
    if "train" not in figures:
        parts += [f"{name} no video" for name in CATEGORIES if name not in figures]
    whole = "300VW train" if "train" in figures else "300VW"
    return f"{whole}, partial: {'; '.join(parts)}" if parts else whole


def videos_csv(videos: Sequence[VideoResult]) -> str:
    """A row per video, a cell empty where the figure is unknown."""
    rows = [nan_to_none(rounded(video_row(video))) for video in videos]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
