"""The outputs of a run that are files and folders: options → sinks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from startrack.commands.shared.errors import note
from startrack.commands.shared.track_options import Outputs
from startrack.tracker.sinks.field_names import parse_fields

if TYPE_CHECKING:
    from startrack.tracker.schemes import LandmarkScheme
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.session.unfinished import Claims
    from startrack.tracker.sinks.base import Sink
    from startrack.tracker.types import HeadModel
    from startrack.tracker.video.base import VideoInfo


def named_files(outputs: Outputs) -> tuple[Path | None, ...]:
    """The files that are named, to be checked before anything is opened.

    Raises BadParameter where an option speaks of an output that is not named.
    """
    if outputs.raw_points and not outputs.jsonl:
        raise typer.BadParameter("written to JSON Lines only; expected --jsonl, too", param_hint="--raw-points")
    if outputs.fields and not (outputs.jsonl or outputs.csv or outputs.parquet):
        what = "no output that has fields; expected --jsonl, --csv or --parquet, too"
        raise typer.BadParameter(what, param_hint="--fields")
    return outputs.save_video, outputs.csv, outputs.jsonl, outputs.parquet, outputs.report, outputs.summary


def open_files(
    outputs: Outputs,
    claims: Claims,
    scheme: LandmarkScheme,
    info: VideoInfo,
    draw: Overlay,
    stack: ExitStack,
    *,
    eyes: bool,
    about: Mapping[str, str],
    head: HeadModel,
) -> list[Sink]:
    """Every sink that is named; the stack closes them. claims: of the outputs. eyes: whether they are read. about: rows
    of the report's table, by their names. head: that aligned faces are laid onto.

    Raises SinkError if one cannot be opened.
    """
    # called when all of them are closed: a whole file has then taken the place of the one that was claimed
    stack.callback(claims.note)
    sinks: list[Sink] = [stack.enter_context(sink) for sink in _tables(outputs, claims, scheme, info, eyes=eyes)]
    if outputs.save_crops:
        from startrack.tracker.sinks.crops_sink import CropsSink

        size, margin = outputs.crop_size, outputs.crop_margin
        overwrite = claims.may_replace(outputs.save_crops)
        crops = CropsSink(outputs.save_crops, scheme, size=size, margin=margin, overwrite=overwrite, head=head)
        sinks.append(stack.enter_context(crops))
    if outputs.report:
        from startrack.tracker.session.batch import source_name
        from startrack.tracker.sinks.report_sink import ReportSink

        title, overwrite = source_name(info.name), claims.may_replace(outputs.report)
        report = ReportSink(outputs.report, title, about={"source": title, **about}, overwrite=overwrite)
        sinks.append(stack.enter_context(report))
    stack.callback(claims.note)
    if outputs.save_video:
        from startrack.tracker.sinks.mp4_sink import Mp4Sink

        sound = info.name if info.has_audio and not info.is_live else None
        overwrite = claims.may_replace(outputs.save_video)
        mp4 = Mp4Sink(outputs.save_video, info, draw=draw, audio_from=sound, overwrite=overwrite)
        stack.callback(lambda: note(mp4.note) if mp4.note else None)
        sinks.append(stack.enter_context(mp4))
    return sinks


def _tables(outputs: Outputs, claims: Claims, scheme: LandmarkScheme, info: VideoInfo, *, eyes: bool) -> list[Sink]:
    """The sinks that write numbers."""
    from startrack.tracker.sinks.csv_sink import CsvSink
    from startrack.tracker.sinks.jsonl_sink import JsonlSink
    from startrack.tracker.sinks.parquet_sink import ParquetSink

    more: dict[str, Any] = {"fields": parse_fields(outputs.fields)} if outputs.fields else {}
    sinks: list[Sink] = []
    if outputs.jsonl:
        lines = JsonlSink(
            outputs.jsonl,
            raw_points=outputs.raw_points,
            start_time_s=info.start_time_s,
            overwrite=claims.may_replace(outputs.jsonl),
            **more,
        )
        sinks.append(lines)
    for path, kind in ((outputs.csv, CsvSink), (outputs.parquet, ParquetSink)):
        if path:
            overwrite, signals = claims.may_replace(path), bool(scheme.ibug_68)
            given: dict[str, Any] = {"signals": signals, "eyes": eyes, "overwrite": overwrite, **more}
            sinks.append(kind(path, scheme.num_landmarks, **given))
    return sinks
