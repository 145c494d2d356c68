"""track: videos in, landmarks out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import (
    DetectEvery,
    Detector,
    DetectorModel,
    DetectorSize,
    Device,
    EngineUrl,
    MaxFaces,
    ModelSize,
    Overwrite,
    Smooth,
    Threads,
    Weights,
)
from startrack.commands.shared.track_many import Workers, track_many
from startrack.commands.shared.track_video import TrackRequest, track_video


@one_line_errors()
def track(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="Video, picture, folder or glob of pictures, URL, camera index."),
    ] = None,
    save_video: Annotated[Path | None, typer.Option(help="Video with the overlay, .mp4.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Landmarks as CSV in OpenFace's columns; - for the screen.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Landmarks and more as JSON Lines; - for the screen.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Speed and counts of the run as JSON; - for the screen.")] = None,
    max_faces: MaxFaces = 8,
    model: ModelSize = None,
    weights: Weights = None,
    engine_url: EngineUrl = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    detect_every: DetectEvery = 15,
    init_box: Annotated[str | None, typer.Option(help="X,Y,W,H of the face in pixels, in place of a detector.")] = None,
    smooth: Smooth = "kalman",
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
    jobs: Annotated[int, typer.Option(min=1, help="Videos at a time, of several.")] = os.cpu_count() or 1,
    dask: Annotated[str | None, typer.Option(help="HOST:PORT of a Dask scheduler whose workers track.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Follow every face and write its landmarks. Several videos: each output names a folder."""
    from startrack.tracker.video.source import list_devices as cameras

    if list_devices:
        typer.echo("\n".join(cameras()) or "no cameras")
        return
    if not sources:
        raise typer.BadParameter("missing; expected a file, folder, URL or camera index", param_hint="source")
    asked = TrackRequest(
        save_video=save_video, csv=csv, jsonl=jsonl, summary=summary, max_faces=max_faces, model=model, weights=weights,
        engine_url=engine_url, detector=detector, detector_model=detector_model, detector_size=detector_size,
        detect_every=detect_every, init_box=init_box, smooth=smooth, show=show, web_port=web_port,
        openseeface=openseeface, osc=osc, vmc=vmc, virtual_camera=virtual_camera, ellipses=ellipses,
        realtime=realtime, start=start, end=end, threads=threads, device=device, mirror=mirror, width=width,
        height=height, fps=fps, reconnect=reconnect, overwrite=overwrite,
    )  # fmt: skip
    if len(sources) > 1 or dask:
        track_many(sources, asked, Workers(jobs, dask))
        return
    if save_video and save_video.suffix.lower() != ".mp4":
        raise typer.BadParameter(f"{str(save_video)!r}; expected a name ending in .mp4", param_hint="--save-video")
    track_video(sources[0], asked)
