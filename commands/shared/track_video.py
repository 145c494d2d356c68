"""One video tracked as asked: wiring of source, engine, detector, smoother and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import typer

from startrack import __version__
from startrack.commands.shared.avatar import open_avatar_sinks
from startrack.commands.shared.errors import note
from startrack.commands.shared.models import open_detector, open_engine, open_eyes
from startrack.commands.shared.output_files import named_files, open_files
from startrack.commands.shared.signal_stage import check_camera, open_signal_stage
from startrack.commands.shared.smoothing import frames_ahead
from startrack.commands.shared.track_options import Avatars, Camera, TrackRequest

if TYPE_CHECKING:
    from startrack.tracker.schemes import LandmarkScheme
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.session.statistics import RunSummary
    from startrack.tracker.sinks.base import Sink
    from startrack.tracker.types import FaceBox, TrackedFrame
    from startrack.tracker.video.base import VideoInfo, VideoStream


def track_video(source: str, request: TrackRequest, *, quiet: bool = False) -> RunSummary:
    """Follow every face of one source to its end. quiet: nothing on the screen. Raises the project's errors."""
    from startrack.engines.zoo import licence_for
    from startrack.tracker import pipeline
    from startrack.tracker.detect.fixed_detector import FixedDetector
    from startrack.tracker.look_ahead import LookAhead, look_ahead, usual_look_ahead
    from startrack.tracker.model_scheme import scheme_of
    from startrack.tracker.screen import window
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.screen.web_page import frame_status
    from startrack.tracker.session import run
    from startrack.tracker.session.progress import expected_frames
    from startrack.tracker.session.unfinished import Claims
    from startrack.tracker.shape.evidence import Evidence
    from startrack.tracker.signals import with_signals
    from startrack.tracker.signals.usual_faces import USUAL_FACES
    from startrack.tracker.smooth import smoother_of
    from startrack.tracker.video import buffer

    with ExitStack() as stack:
        outputs, models, following = request.outputs, request.models, request.following
        check_camera(request.signals)
        files = named_files(outputs)
        run.check_outputs(source, files, overwrite=outputs.overwrite)
        say = (lambda _: None) if quiet else note
        claims = Claims(files, folders=[outputs.save_crops], overwrite=outputs.overwrite, report=say)
        stack.enter_context(claims)
        licence = licence_for(models.model, models.licence)
        opened = open_engine(
            models.weights,
            models.device,
            models.threads,
            size=models.model,
            url=models.engine_url,
            licence=licence,
        )
        engine = stack.enter_context(opened)
        # before the source: a camera does not wait
        box = _box(following.init_box) if following.init_box else None
        named = (models.detector, models.detector_model, models.detector_size)
        detect = stack.enter_context(FixedDetector(box) if box else open_detector(*named, licence=licence))
        video, drop_late = _open_video(source, request.camera, stack)
        info = video.info
        if following.init_box:  # once more, now that the picture's size is known
            _box(following.init_box, info.width, info.height)
        scheme = scheme_of(engine.spec)
        reader = open_eyes(request.signals.eyes, licence, scheme, models.threads)
        eyes = None if reader is None else stack.enter_context(reader)
        draw = Overlay(scheme, ellipses=request.screen.ellipses)
        about = {"model": engine.spec.name, "made by": f"startrack {__version__}"}
        sinks = [
            *open_files(
                outputs,
                claims,
                scheme,
                info,
                draw,
                stack,
                eyes=eyes is not None,
                about=about,
                head=USUAL_FACES[licence].head,
            ),
            *_open_avatars(request.avatars, scheme, info, draw, stack),
        ]
        watch = request.screen
        opened_screen = window.open_screen(watch.show, info, port=watch.web_port, host=watch.web_host, report=note)
        screen = stack.enter_context(opened_screen)
        if not (quiet or sinks or screen or outputs.summary):
            note("no output is named, so only the speed is printed; startrack track --help lists the outputs")
        frames = stack.enter_context(buffer.latest(video) if drop_late else buffer.prefetch(video))
        options = pipeline.options_for(
            info.fps,
            max_faces=following.max_faces,
            detect_every=following.detect_every,
            evidence=Evidence(shapes=licence),
        )
        usual = usual_look_ahead(info.fps, is_live=drop_late or info.stills)
        ahead = frames_ahead(following.lookahead, following.smooth, following.smoothing_strength, usual=usual)
        smoother = smoother_of("none" if ahead else following.smooth, following.smoothing_strength)
        follow = pipeline.read_stills if info.stills else partial(pipeline.track_frames, make_smoother=smoother)
        tracked: Iterator[TrackedFrame] = follow(frames, detect, engine, options=options, eyes=eyes)
        # a recording is tracked while its outputs are written; a live frame must not wait for those before it
        followed = tracked if drop_late else stack.enter_context(buffer.prefetch(tracked, size=4))
        mirror = request.camera.mirror
        signals = open_signal_stage(request.signals, scheme, info.width, info.height, mirror=mirror, licence=licence)
        stage = LookAhead(scheme, ahead, strength=following.smoothing_strength) if ahead else None
        return run.run(
            with_signals(look_ahead(followed, stage) if stage else followed, signals),
            sinks,
            late=lambda: with_signals(stage.flush() if stage else (), signals),
            total=expected_frames(info, request.camera.start, request.camera.end),
            show_frame=None if screen is None else lambda seen: screen.show(draw(seen), frame_status(seen)),
            summary=outputs.summary,
            quiet=quiet,
            report=note,
            start_time_s=info.start_time_s,
            note_files=claims.note,
        )


def _open_video(source: str, camera: Camera, stack: ExitStack) -> tuple[VideoStream, bool]:
    """The source, and whether frames that are late are dropped."""
    from startrack.tracker.video import base, pace
    from startrack.tracker.video.reconnect import reconnecting
    from startrack.tracker.video.source import open_source

    opened = partial(
        open_source,
        source,
        start_s=camera.start,
        end_s=camera.end,
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        sample_fps=camera.sample_fps,
        stills=camera.stills,
        report=note,
    )
    video = stack.enter_context(reconnecting(opened, patience_s=camera.reconnect, report=note))
    is_live = video.info.is_live
    drop_late = is_live if camera.realtime is None else camera.realtime
    if camera.mirror:
        video = stack.enter_context(base.mirror(video))
    if drop_late and not is_live:
        video = stack.enter_context(pace.at_its_pace(video))
    return video, drop_late


def _open_avatars(
    avatars: Avatars, scheme: LandmarkScheme, info: VideoInfo, draw: Overlay, stack: ExitStack
) -> list[Sink]:
    from startrack.tracker.sinks.virtual_camera_sink import VirtualCameraSink

    addresses = {"openseeface": avatars.openseeface, "osc": avatars.osc, "vmc": avatars.vmc}
    sinks = [stack.enter_context(sink) for sink in open_avatar_sinks(addresses, scheme, vrm=avatars.vrm)]
    if avatars.virtual_camera:
        sinks.append(stack.enter_context(VirtualCameraSink((info.width, info.height), info.fps, draw)))
    return sinks


def _box(text: str, width: int | None = None, height: int | None = None) -> FaceBox:
    from startrack.tracker.detect.fixed_detector import parse_box

    try:
        return parse_box(text, width, height)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--init-box") from error
