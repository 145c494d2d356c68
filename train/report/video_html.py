"""Results on 300VW as one HTML file that opens without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from startrack.train.metrics.nme import Float64Array
from startrack.train.report.published_300vw import AREAS, PUBLISHED
from startrack.train.report.svg_plot import Curve, svg_plot
from startrack.train.report.video_json import set_name
from startrack.train.report.video_tables import HEADER, category_cells, decimals, settings_text
from startrack.train.video_evaluation.measures import MISSING
from startrack.train.video_evaluation.results import SetFigures, VideoResult, figures_by_category, problems

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#2b2d33;margin:0 auto;padding:16px;max-width:1180px;background:#fff}
h1{font-size:24px;margin:8px 0}h2{font-size:19px;margin:28px 0 8px}h3{font-size:15px;margin:0 0 4px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 8px;text-align:right;border-bottom:1px solid #e4e6ea;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{font-weight:600;white-space:normal;vertical-align:bottom;color:#5a5f69}
tr.own td{background:#eaf4f8;font-weight:600}
.warn{background:#fff4e0;border-left:4px solid #c98a00;padding:8px 12px}.faint{color:#6b707a}
.video{border-top:1px solid #e4e6ea;padding:14px 0}.video svg{width:100%;height:auto}.scroll svg{min-width:560px}
.faces{display:flex;flex-wrap:wrap;gap:8px}.faces figure{margin:0;width:160px;max-width:calc(50% - 4px)}
.faces img{width:100%;display:block;border-radius:4px}figcaption{font-size:12px}svg{max-width:100%;height:auto}
"""
CED_LIMIT = 10.0
"""End of the CED's axis, per cent."""


def report(videos: Sequence[VideoResult], missing: Sequence[str], how: Mapping[str, Any]) -> str:
    """The whole page: tables, CED per category, published figures, and each video with its worst frames."""
    figures = figures_by_category(videos)
    name = set_name(figures)
    mode = how["settings"]["mode"]
    parts = [
        f"<h1>300VW, {escape(mode)} mode</h1><p class=faint>{escape(settings_text(how))}</p>",
        f"<p class=warn>{escape(name)}. Figures of a part do not compare with published ones.</p>"
        if "," in name
        else "",
        "<h2>By category</h2>",
        _table(HEADER, category_cells(figures)),
        "<p class=faint>Per cent of the distance of the outer eye corners; frames and videos: mean over all frames "
        "(SBR) and mean of the videos' means (FHR), the latter with its 95 % interval by bootstrap over the videos. A "
        "missing frame counts as a failure in AUC and FR and is in no mean NME: read it with the coverage. e1: delay "
        "in frames; e2: RMS error, e3 and e4: jitter, % of the face's size (FHR + STA).</p>",
        "<h2>Cumulative errors</h2>",
        f"<div class=scroll>{ced_svg(videos)}</div>",
        "<h2>Beside published methods</h2>",
        _published(figures),
        "<h2>Videos</h2>",
        "<p class=faint>NME of each scored frame, per cent; red: the face is missing. Worst moments below it: truth "
        "green, found orange.</p>",
        *(_video(video) for video in videos),
        _problems(problems(videos, missing)),
    ]
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
    )
    return f"{head}<title>300VW {escape(mode)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"


def ced_svg(videos: Sequence[VideoResult]) -> str:
    """CED of each category's scored frames, 68 landmarks, inter-ocular."""
    grid = np.linspace(0, CED_LIMIT, 201)
    curves = []
    for name in dict.fromkeys(video.category for video in videos):
        errors = np.concatenate([video.scored_errors() for video in videos if video.category == name])
        filled = np.sort(np.where(np.isfinite(errors), 100 * errors, MISSING))
        share = 100 * np.searchsorted(filled, grid, side="right") / max(len(filled), 1)
        curves.append(Curve(name, grid, share))
    return svg_plot(curves, (CED_LIMIT, 100.0), labels=("NME, % inter-ocular", "% of the frames"), size=(720, 380))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], own: int = -1) -> str:
    """own: the row that is ours."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr{' class=own' if number == own else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"


def _published(figures: Mapping[str, SetFigures]) -> str:
    names = ("category1", "category2", "category3")
    ours = [
        decimals(figures[name].measures[68, "inter_ocular"].nme_video) if name in figures else "–" for name in names
    ]
    own = "this run" + (
        "" if all(name in figures and figures[name].counts.complete for name in names) else " (partial)"
    )
    rows = [
        [each.method, *(decimals(getattr(each, name)) for name in names), each.trained_on, "unverified"]
        for each in PUBLISHED
    ]
    areas = [
        [each.method, each.measure, *(decimals(getattr(each, name)) for name in names), each.trained_on, "unverified"]
        for each in AREAS
    ]
    return (
        "<p class=warn>[RECALL] Every published figure here is from memory and not checked against its paper: look it "
        "up before you quote it.</p>"
        + _table(
            ("NME %, 68 points", *names, "trained on", "mark"),
            [*rows, [own, *ours, "see the model's card", "measured"]],
            len(rows),
        )
        + "<p></p>"
        + _table(("AUC %", "measure", *names, "trained on", "mark"), areas)
    )


def _video(video: VideoResult) -> str:
    errors = video.scored_errors()
    numbers = video.numbers[video.scored]
    known = errors[np.isfinite(errors)]
    mean = decimals(100 * float(known.mean())) if len(known) else "–"
    faces = "".join(
        f'<figure><img alt="frame {each.number}" src="data:image/jpeg;base64,{base64.b64encode(each.jpeg).decode()}">'
        f"<figcaption>frame {each.number}: {_percent(each.nme)}</figcaption></figure>"
        for each in video.worst
    )
    title = f"{video.id} · {video.category} · NME {mean} % · coverage {decimals(100 * video.coverage, 1)} %"
    plot = _over_time(numbers, errors) if len(errors) else "<p>no scored frame</p>"
    return (
        f"<div class=video><h3>{escape(title)}</h3><div class=scroll>{plot}</div><div class=faces>{faces}</div></div>"
    )


def _percent(nme: float) -> str:
    return f"{100 * nme:.1f} %" if np.isfinite(nme) else "missing"


def _over_time(numbers_T: np.ndarray[Any, Any], errors_T: Float64Array) -> str:
    top = max(10.0, min(40.0, 100 * float(np.nanmax(np.append(errors_T, 0.0)))))
    missing = numbers_T[~np.isfinite(errors_T)].astype(float)
    curve = Curve("", numbers_T.astype(float), np.minimum(100 * errors_T, top))
    return svg_plot([curve], (float(numbers_T[-1]), top), labels=("frame", "NME, %"), size=(1100, 170), marks=missing)


def _problems(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>Not as published</h2><details><summary>{len(lines)} remarks</summary><ul>{items}</ul></details>"
