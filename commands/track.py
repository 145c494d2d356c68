"""track: videos in, landmarks out."""

from __future__ import annotations

from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.option_groups import grouped
from startrack.commands.shared.track_many import track_many
from startrack.commands.shared.track_options import (
    Avatars,
    Camera,
    Following,
    Models,
    Outputs,
    Screen,
    Signals,
    TrackRequest,
    Workers,
)
from startrack.commands.shared.track_video import track_video

SOURCE_HELP = "Video, picture, folder or glob of either, img%04d.png, URL, camera index; -: standard input."


@one_line_errors()
@grouped
def track(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Video, picture, folder or glob of either, img%04d.png, URL, camera index, - for standard input.",
        ),
    ] = None,
    *,
    camera: Camera,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", rich_help_panel="Live", help="Name the cameras and leave.")
    ] = False,
    models: Models,
    following: Following,
    outputs: Outputs,
    screen: Screen,
    signals: Signals,
    avatars: Avatars,
    workers: Workers,
) -> None:
    """Follow every face and write its landmarks. Several videos: each output names a folder."""
    from startrack.tracker.video.pictures import videos_of
    from startrack.tracker.video.source import list_devices as cameras

    if list_devices:
        typer.echo("\n".join(cameras()) or "no cameras")
        return
    if not sources:
        raise typer.BadParameter("missing; expected a file, folder, URL or camera index", param_hint="source")
    sources = [video for source in sources for video in (videos_of(source) or [source])]
    request = TrackRequest(
        outputs=outputs,
        models=models,
        following=following,
        camera=camera,
        screen=screen,
        avatars=avatars,
        signals=signals,
    )
    if len(sources) > 1 or workers.dask:
        track_many(sources, request, workers)
        return
    video = outputs.save_video
    if video and video.suffix.lower() != ".mp4":
        raise typer.BadParameter(f"{str(video)!r}; expected a name ending in .mp4", param_hint="--save-video")
    track_video(sources[0], request)
