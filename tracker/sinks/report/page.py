"""The report's page: its parts put into page.html."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template

import cv2

from startrack.tracker.palette import colour_of
from startrack.tracker.sinks.report.charts import FACE_CHARTS, RUN_CHARTS, draw, spans
from startrack.tracker.sinks.report.counts import Counts, clock
from startrack.tracker.sinks.report.moments import Moments
from startrack.tracker.sinks.report.timeline import RUN, Series, Timeline
from startrack.tracker.types import ImageArray

MOST_FACES = 8
"""Faces with charts and pictures: those that were seen in the most frames."""
MOST_LANES = 40
"""Faces in the overview."""
JPEG_QUALITY = 78


def render(title: str, about: Mapping[str, str], counts: Counts, timeline: Timeline, moments: Moments) -> str:
    """The page as HTML."""
    series = timeline.finish(counts.duration_s)
    run = series.pop(RUN, None)
    count = max(int(counts.duration_s / timeline.step_s) + 1, 2)
    longest = sorted(series, key=lambda face: -int(series[face].frames.sum()))
    shown = sorted(longest[:MOST_FACES])
    page = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(title),
        table=_table([*about.items(), *counts.rows()]),
        strip="".join(_figure(image, clock(counts.first_s + at)) for at, image in moments.frames),
        lanes=_lanes(sorted(longest[:MOST_LANES]), series, count, len(counts.ids)),
        run="" if run is None else "".join(draw(chart, run, count) for chart in RUN_CHARTS),
        faces="".join(_face(face, series[face], moments, count, counts.first_s) for face in shown),
        more=_more(len(counts.ids) - len(shown)),
        first=f"{counts.first_s:.3f}",
        duration=f"{count * timeline.step_s:.3f}",
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)


def _figure(image: ImageArray, words: str) -> str:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    data = base64.b64encode(encoded.tobytes()).decode()
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt=""><figcaption>{escape(words)}</figcaption></figure>'


def _colour(face: int) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in colour_of(face))


def _lanes(faces: list[int], series: Mapping[int, Series], count: int, total: int) -> str:
    """A bar for each face over the time in which it was seen."""
    lanes = []
    for face in faces:
        bars = "".join(
            f'<i style="left:{left:.2f}%;width:{width:.2f}%"></i>' for left, width in spans(series[face], count)
        )
        lanes.append(
            f'<div class="lane"><b>{face}</b><div class="bars" style="--face:{_colour(face)}">{bars}</div></div>'
        )
    more = f"<p>{total - len(faces)} further faces were seen for a shorter time.</p>" if total > len(faces) else ""
    return "".join(lanes) + more


def _face(face: int, series: Series, moments: Moments, count: int, first_s: float) -> str:
    pictures = sorted(moments.faces.get(face, {}).values(), key=lambda moment: moment.time_s)
    strip = "".join(_figure(one.image, f"{clock(first_s + one.time_s)} {one.what}") for one in pictures)
    charts = "".join(draw(chart, series, count) for chart in FACE_CHARTS)
    frames = int(series.frames.sum())
    return (
        f'<section style="--face:{_colour(face)}"><h2><span class="tag">{face}</span> Face {face} '
        f'<small>{frames} frames</small></h2><div class="strip">{strip}</div>{charts}</section>'
    )


def _more(count: int) -> str:
    return f"<p>{count} further faces, seen in fewer frames, have no charts.</p>" if count > 0 else ""
