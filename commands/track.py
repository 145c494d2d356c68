"""track: a video in, landmarks out; wiring of source, engine, detector, smoother and sinks."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from commands.avatar import open_avatar_sinks
from commands.errors import note, one_line_errors
from commands.models import open_detector, open_engine
from commands.options import (
    DetectEvery,
    Detector,
    DetectorModel,
    DetectorSize,
    Device,
    MaxFaces,
    Overwrite,
    Smooth,
    Threads,
    Weights,
    named,
)

if TYPE_CHECKING:
    from tracker.sinks.base import Sink
    from tracker.types import FaceBox


@one_line_errors()
def track(
    source: Annotated[str, typer.Argument(help="Video, picture, folder or glob of pictures, URL, camera index.")] = "",
    save_video: Annotated[Path | None, typer.Option(callback=named(".mp4"), help="Video with the overlay.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Landmarks as CSV in OpenFace's columns.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Landmarks, covariances, scores as JSON Lines.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Speed and counts of the run as JSON; - for the screen.")] = None,
    max_faces: MaxFaces = 8,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    detect_every: DetectEvery = 15,
    init_box: Annotated[str | None, typer.Option(help="X,Y,W,H of the face in pixels, in place of a detector.")] = None,
    smooth: Smooth = "one-euro",
    show: Annotated[
        Literal["auto", "window", "web", "none"],
        typer.Option(help="auto: a window for live sources; web: a page."),
    ] = "auto",
    web_port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page of --show web; 0: a free one.")] = 8088,
    openseeface: Annotated[str | None, typer.Option(help="HOST:PORT to send OpenSeeFace's datagrams to.")] = None,
    osc: Annotated[str | None, typer.Option(help="HOST:PORT to send everything to as OSC messages.")] = None,
    vmc: Annotated[str | None, typer.Option(help="HOST:PORT of an avatar that takes the VMC protocol.")] = None,
    virtual_camera: Annotated[bool, typer.Option("--virtual-camera", help="Be a camera with the overlay.")] = False,
    ellipses: Annotated[bool, typer.Option("--ellipses", help="Draw the uncertainty of each landmark.")] = False,
    realtime: Annotated[bool | None, typer.Option(help="Drop frames that are late; by default live ones only.")] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds to skip.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="Second to stop at.")] = None,
    threads: Threads = 1,
    device: Device = "auto",
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right.")] = False,
    width: Annotated[int | None, typer.Option(min=1, help="Asked of a camera, with --height.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Asked of a camera, with --width.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, help="Asked of a camera.")] = None,
    reconnect: Annotated[float, typer.Option(min=0, help="Seconds to wait for a live source that is lost.")] = 30.0,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Name the cameras and leave.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Follow every face and write its landmarks."""
    from tracker import pipeline, run, window
    from tracker.detect.fixed_detector import FixedDetector
    from tracker.overlay import Overlay
    from tracker.progress import expected_frames
    from tracker.schemes import SCHEMES
    from tracker.signals import SCHEME, with_signals
    from tracker.sinks.csv_sink import CsvSink
    from tracker.sinks.jsonl_sink import JsonlSink
    from tracker.sinks.mp4_sink import Mp4Sink
    from tracker.sinks.virtual_camera_sink import VirtualCameraSink
    from tracker.smooth import SMOOTHERS
    from tracker.video import base, buffer, pace
    from tracker.video import source as sources
    from tracker.video.reconnect import reconnecting

    if list_devices:
        typer.echo("\n".join(sources.list_devices()) or "no cameras")
        return
    if not source:
        raise typer.BadParameter("missing; expected a file, folder, URL or camera index", param_hint="source")
    with ExitStack() as stack:
        run.check_outputs(source, (save_video, csv, jsonl, summary), overwrite=overwrite)
        engine = stack.enter_context(open_engine(weights, device, threads))
        # before the source: a camera does not wait
        detect = FixedDetector(_box(init_box)) if init_box else open_detector(detector, detector_model, detector_size)
        stack.enter_context(closing(detect))
        opened = partial(sources.open_source, source, start_s=start, end_s=end, width=width, height=height, fps=fps)
        video = stack.enter_context(reconnecting(opened, patience_s=reconnect, report=note))
        info, drop_late = video.info, video.info.is_live if realtime is None else realtime
        if init_box:  # once more, now that the picture's size is known
            _box(init_box, info.width, info.height)
        if mirror:
            video = stack.enter_context(base.mirror(video))
        if drop_late and not info.is_live:
            video = stack.enter_context(pace.at_its_pace(video))
        has_signals = engine.spec.scheme == SCHEME
        draw = Overlay(SCHEMES[engine.spec.scheme], ellipses=ellipses)
        sinks: list[Sink] = []
        if jsonl:
            sinks.append(stack.enter_context(JsonlSink(jsonl, overwrite=overwrite)))
        if csv:
            columns = CsvSink(csv, engine.spec.num_landmarks, signals=has_signals, overwrite=overwrite)
            sinks.append(stack.enter_context(columns))
        if save_video:
            sound = info.name if info.has_audio and not info.is_live else None
            mp4 = Mp4Sink(save_video, info, draw=draw, audio_from=sound, overwrite=overwrite)
            stack.callback(lambda: note(mp4.note) if mp4.note else None)
            sinks.append(stack.enter_context(mp4))
        avatars = {"openseeface": openseeface, "osc": osc, "vmc": vmc}
        sinks += [stack.enter_context(sink) for sink in open_avatar_sinks(avatars, engine.spec.scheme)]
        if virtual_camera:
            sinks.append(stack.enter_context(VirtualCameraSink((info.width, info.height), info.fps, draw)))
        screen = stack.enter_context(window.open_screen(show, info, port=web_port, report=note))
        frames = stack.enter_context(buffer.latest(video) if drop_late else buffer.prefetch(video))
        options = pipeline.TrackerOptions(max_faces=max_faces, detect_every=detect_every)
        faces = pipeline.track(frames, detect, engine, make_smoother=SMOOTHERS[smooth], options=options)
        faces = with_signals(faces) if has_signals else faces
        total, show_frame = expected_frames(info, start, end), lambda seen: screen is None or screen.show(draw(seen))
        run.run(faces, sinks, total=total, show_frame=show_frame, summary=summary)


def _box(text: str, width: int | None = None, height: int | None = None) -> FaceBox:
    from tracker.detect.fixed_detector import parse_box

    try:
        return parse_box(text, width, height)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--init-box") from error
