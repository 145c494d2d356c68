"""The options of `track`, in groups; each option is declared here and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from startrack.commands.shared.options import (
    DetectEvery,
    Detector,
    DetectorModel,
    DetectorSize,
    Device,
    EngineUrl,
    LookAhead,
    MaxFaces,
    ModelLicence,
    ModelSize,
    Overwrite,
    Smooth,
    SmoothingStrength,
    Threads,
    Weights,
)
from startrack.engines.zoo import EYES_BY_DEFAULT
from startrack.tracker.sinks.field_names import FIELDS, parse_fields

EYES_DEFAULT = "on where the model has lids" if EYES_BY_DEFAULT else "off by default"


def _fields(text: str | None) -> str | None:
    """A check of an option: each name is one of FIELDS."""
    try:
        if text is not None:
            parse_fields(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Files that hold the run."""

    PANEL: ClassVar[str] = "Outputs"

    save_video: Annotated[Path | None, typer.Option(help="Video with the overlay, .mp4.")] = None
    csv: Annotated[Path | None, typer.Option(help="Landmarks as CSV in OpenFace's columns; - for the screen.")] = None
    jsonl: Annotated[Path | None, typer.Option(help="Landmarks and more as JSON Lines; - for the screen.")] = None
    parquet: Annotated[Path | None, typer.Option(help="Landmarks as Parquet, a row per face and frame.")] = None
    fields: Annotated[
        str | None,
        typer.Option(
            callback=_fields,
            help=f"What --csv, --jsonl and --parquet hold of a face, such as points,pose; of {', '.join(FIELDS)}.",
        ),
    ] = None
    save_crops: Annotated[Path | None, typer.Option(help="Folder of aligned faces as pictures.")] = None
    crop_size: Annotated[int, typer.Option(min=16, max=2048, help="Side of the aligned faces, pixels.")] = 112
    crop_margin: Annotated[
        float, typer.Option(min=0, max=2, help="Share of the face left free around it in the aligned faces.")
    ] = 0.1
    report: Annotated[Path | None, typer.Option(help="Page to look at, .html: time lines, pictures, a table.")] = None
    summary: Annotated[Path | None, typer.Option(help="Speed and counts of the run as JSON; - for the screen.")] = None
    raw_points: Annotated[bool, typer.Option("--raw-points", help="In --jsonl the unsmoothed landmarks, too.")] = False
    overwrite: Overwrite = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Model files, and the hardware they run on."""

    PANEL: ClassVar[str] = "Models"

    model: ModelSize = None
    licence: ModelLicence = None
    weights: Weights = None
    engine_url: EngineUrl = None
    detector: Detector = "auto"
    detector_model: DetectorModel = None
    detector_size: DetectorSize = None
    threads: Threads = 1
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How faces are found and followed."""

    PANEL: ClassVar[str] = "Faces"

    max_faces: MaxFaces = 8
    detect_every: DetectEvery = 15
    init_box: Annotated[str | None, typer.Option(help="X,Y,W,H of the face in pixels, in place of a detector.")] = None
    smooth: Smooth = "kalman"
    lookahead: LookAhead = None
    smoothing_strength: SmoothingStrength = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How the source is read; size and rate are asked of a camera."""

    PANEL: ClassVar[str] = "Source"

    realtime: Annotated[
        bool | None, typer.Option(rich_help_panel="Live", help="Drop frames that are late; by default live ones only.")
    ] = None
    start: Annotated[float, typer.Option(min=0, help="Seconds to skip.")] = 0.0
    end: Annotated[float | None, typer.Option(min=0, help="Second to stop at.")] = None
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right.")] = False
    width: Annotated[
        int | None, typer.Option(min=1, rich_help_panel="Live", help="Asked of a camera, with --height.")
    ] = None
    height: Annotated[
        int | None, typer.Option(min=1, rich_help_panel="Live", help="Asked of a camera, with --width.")
    ] = None
    fps: Annotated[
        float | None, typer.Option(min=0.1, help="Asked of a camera; of pictures, how many make a second of video.")
    ] = None
    sample_fps: Annotated[
        float | None, typer.Option(min=0.001, help="Frames to look at of each second, at most: for long videos.")
    ] = None
    stills: Annotated[
        bool | None,
        typer.Option(help="Read each picture for itself; by default unless the names count up like a video's frames."),
    ] = None
    reconnect: Annotated[
        float, typer.Option(rich_help_panel="Live", min=0, help="Seconds to wait for a live source that is lost.")
    ] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where the run is watched."""

    PANEL: ClassVar[str] = "Live"

    show: Annotated[
        Literal["auto", "window", "web", "none"],
        typer.Option(help="auto: a window for live sources; web: a page."),
    ] = "auto"
    web_port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page of --show web; 0: a free one.")] = 8088
    web_host: Annotated[
        str, typer.Option(help="Address of the page; 0.0.0.0: other devices see it too, with the token in its address.")
    ] = "127.0.0.1"
    ellipses: Annotated[bool, typer.Option("--ellipses", help="Draw the uncertainty of each landmark.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Avatars:
    """Programs that take the face as it moves."""

    PANEL: ClassVar[str] = "Avatars"

    openseeface: Annotated[str | None, typer.Option(help="HOST:PORT to send OpenSeeFace's datagrams to.")] = None
    osc: Annotated[str | None, typer.Option(help="HOST:PORT to send everything to as OSC messages.")] = None
    vmc: Annotated[str | None, typer.Option(help="HOST:PORT of an avatar that takes the VMC protocol.")] = None
    vrm: Annotated[Literal["0", "1"], typer.Option(help="Version of VRM whose names --vmc sends.")] = "0"
    virtual_camera: Annotated[bool, typer.Option("--virtual-camera", help="Be a camera with the overlay.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What head pose, gaze and blendshapes are measured by."""

    PANEL: ClassVar[str] = "Eyes, head pose and expression"

    eyes: Annotated[
        bool | None,
        typer.Option(help=f"Read the eyes more closely: lids, irises, gaze; {EYES_DEFAULT}."),
    ] = None
    gaze_offset: Annotated[
        float | None,
        typer.Option(
            help="First seconds of each face in which it looks into the camera: the zero of its gaze.", min=0.001
        ),
    ] = None
    neutral: Annotated[
        float | None,
        typer.Option(help="First seconds of each face in which it is neutral; by default a running median.", min=0.001),
    ] = None
    focal: Annotated[
        float | None, typer.Option(min=1, help="Focal length of the camera, pixels; poses are then in perspective.")
    ] = None
    fov: Annotated[
        float | None, typer.Option(min=1, max=179, help="In place of --focal: angle of view from left to right, °.")
    ] = None
    principal_point: Annotated[
        str | None, typer.Option(help="X,Y of the camera's axis in the picture, pixels; by default its middle.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where several videos are tracked."""

    PANEL: ClassVar[str] = "Many videos"

    jobs: Annotated[int, typer.Option(min=1, help="Videos at a time, of several.")] = os.cpu_count() or 1
    dask: Annotated[str | None, typer.Option(help="HOST:PORT of a Dask scheduler whose workers track.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRequest:
    """Everything that is asked of a run but its source."""

    outputs: Outputs = field(default_factory=Outputs)
    models: Models = field(default_factory=Models)
    following: Following = field(default_factory=Following)
    camera: Camera = field(default_factory=Camera)
    screen: Screen = field(default_factory=Screen)
    avatars: Avatars = field(default_factory=Avatars)
    signals: Signals = field(default_factory=Signals)
