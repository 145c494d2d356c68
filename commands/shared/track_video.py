"""One video tracked as asked: wiring of source, engine, detector, smoother and outputs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from startrack.commands.shared.avatar import open_avatar_sinks
from startrack.commands.shared.errors import note
from startrack.commands.shared.models import open_detector, open_engine

if TYPE_CHECKING:
    from startrack.engines.base import Engine
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.session.statistics import RunSummary
    from startrack.tracker.sinks.base import Sink
    from startrack.tracker.types import FaceBox
    from startrack.tracker.video.base import VideoInfo, VideoStream


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRequest:
    """What the user asked of `track`, but the source; its options say what each means."""

    save_video: Path | None = None
    csv: Path | None = None
    jsonl: Path | None = None
    summary: Path | None = None
    max_faces: int = 8
    model: str | None = None
    weights: Path | None = None
    engine_url: str | None = None
    detector: str = "auto"
    detector_model: Path | None = None
    detector_size: int = 320
    detect_every: int = 15
    init_box: str | None = None
    smooth: str = "kalman"
    show: str = "auto"
    web_port: int = 8088
    openseeface: str | None = None
    osc: str | None = None
    vmc: str | None = None
    virtual_camera: bool = False
    ellipses: bool = False
    realtime: bool | None = None
    start: float = 0.0
    end: float | None = None
    threads: int = 1
    device: str = "auto"
    mirror: bool = False
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    reconnect: float = 30.0
    overwrite: bool = False


def track_video(source: str, asked: TrackRequest, *, quiet: bool = False) -> RunSummary:
    """Follow every face of one source to its end. quiet: nothing on the screen. Raises the project's errors."""
    from startrack.tracker import pipeline
    from startrack.tracker.detect.fixed_detector import FixedDetector
    from startrack.tracker.model_scheme import scheme_of
    from startrack.tracker.screen import window
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.session import run
    from startrack.tracker.session.progress import expected_frames
    from startrack.tracker.signals import SCHEME, with_signals
    from startrack.tracker.smooth import SMOOTHERS
    from startrack.tracker.video import buffer

    with ExitStack() as stack:
        outputs = (asked.save_video, asked.csv, asked.jsonl, asked.summary)
        run.check_outputs(source, outputs, overwrite=asked.overwrite)
        opened = open_engine(asked.weights, asked.device, asked.threads, size=asked.model, url=asked.engine_url)
        engine = stack.enter_context(opened)
        # before the source: a camera does not wait
        box = _box(asked.init_box) if asked.init_box else None
        named = (asked.detector, asked.detector_model, asked.detector_size)
        detect = stack.enter_context(FixedDetector(box) if box else open_detector(*named))
        video, drop_late = _open_video(source, asked, stack)
        info = video.info
        if asked.init_box:  # once more, now that the picture's size is known
            _box(asked.init_box, info.width, info.height)
        draw = Overlay(scheme_of(engine.spec), ellipses=asked.ellipses)
        sinks = _open_sinks(asked, engine, info, draw, stack)
        screen = stack.enter_context(window.open_screen(asked.show, info, port=asked.web_port, report=note))
        frames = stack.enter_context(buffer.latest(video) if drop_late else buffer.prefetch(video))
        options = pipeline.TrackerOptions(max_faces=asked.max_faces, detect_every=asked.detect_every)
        faces = pipeline.track(frames, detect, engine, make_smoother=SMOOTHERS[asked.smooth], options=options)
        if engine.spec.scheme == SCHEME:
            faces = with_signals(faces)
        return run.run(
            # a recording is tracked while its outputs are written; a live frame must not wait for those before it
            faces if drop_late else stack.enter_context(buffer.prefetch(faces, size=4)),
            sinks,
            total=expected_frames(info, asked.start, asked.end),
            show_frame=None if screen is None else lambda seen: screen.show(draw(seen)),
            summary=asked.summary,
            quiet=quiet,
        )


def _open_video(source: str, asked: TrackRequest, stack: ExitStack) -> tuple[VideoStream, bool]:
    """The source, and whether frames that are late are dropped."""
    from startrack.tracker.video import base, pace
    from startrack.tracker.video.reconnect import reconnecting
    from startrack.tracker.video.source import open_source

    opened = partial(
        open_source, source, start_s=asked.start, end_s=asked.end, width=asked.width, height=asked.height, fps=asked.fps
    )
    video = stack.enter_context(reconnecting(opened, patience_s=asked.reconnect, report=note))
    is_live = video.info.is_live
    drop_late = is_live if asked.realtime is None else asked.realtime
    if asked.mirror:
        video = stack.enter_context(base.mirror(video))
    if drop_late and not is_live:
        video = stack.enter_context(pace.at_its_pace(video))
    return video, drop_late


def _open_sinks(asked: TrackRequest, engine: Engine, info: VideoInfo, draw: Overlay, stack: ExitStack) -> list[Sink]:
    from startrack.tracker.signals import SCHEME
    from startrack.tracker.sinks.csv_sink import CsvSink
    from startrack.tracker.sinks.jsonl_sink import JsonlSink
    from startrack.tracker.sinks.mp4_sink import Mp4Sink
    from startrack.tracker.sinks.virtual_camera_sink import VirtualCameraSink

    spec, overwrite = engine.spec, asked.overwrite
    sinks: list[Sink] = []
    if asked.jsonl:
        sinks.append(stack.enter_context(JsonlSink(asked.jsonl, overwrite=overwrite)))
    if asked.csv:
        columns = CsvSink(asked.csv, spec.num_landmarks, signals=spec.scheme == SCHEME, overwrite=overwrite)
        sinks.append(stack.enter_context(columns))
    if asked.save_video:
        sound = info.name if info.has_audio and not info.is_live else None
        mp4 = Mp4Sink(asked.save_video, info, draw=draw, audio_from=sound, overwrite=overwrite)
        stack.callback(lambda: note(mp4.note) if mp4.note else None)
        sinks.append(stack.enter_context(mp4))
    avatars = {"openseeface": asked.openseeface, "osc": asked.osc, "vmc": asked.vmc}
    sinks += [stack.enter_context(sink) for sink in open_avatar_sinks(avatars, spec.scheme)]
    if asked.virtual_camera:
        sinks.append(stack.enter_context(VirtualCameraSink((info.width, info.height), info.fps, draw)))
    return sinks


def _box(text: str, width: int | None = None, height: int | None = None) -> FaceBox:
    from startrack.tracker.detect.fixed_detector import parse_box

    try:
        return parse_box(text, width, height)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--init-box") from error
