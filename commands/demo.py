"""demo: a portrait in known motion, tracked, and the error of its landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Detector, DetectorModel, Threads
from startrack.commands.shared.track_options import Models, Outputs, Screen, TrackRequest
from startrack.commands.shared.track_video import track_video


@one_line_errors()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo's files.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(min=1, help="Length of the clip.")] = 8.0,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    threads: Threads = 1,
) -> None:
    """Track a portrait in known motion and measure the error."""
    from startrack.tracker.session.demo import make_demo_clip, motion_error, read_points

    clip, tracked, points = out / "portrait.mp4", out / "tracked.mp4", out / "tracked.jsonl"
    typer.echo(f"making {clip} …")
    out.mkdir(parents=True, exist_ok=True)
    motion = make_demo_clip(clip, seconds=seconds)
    request = TrackRequest(
        outputs=Outputs(save_video=tracked, jsonl=points, overwrite=True),
        models=Models(detector=detector, detector_model=detector_model, threads=threads),
        screen=Screen(show="none"),
    )
    track_video(str(clip), request)
    typer.echo("smoothed with the look-ahead that is usual for recordings")
    typer.echo(f"{motion_error(read_points(points), motion).to_text()}\n{tracked}: the clip with its landmarks")
