"""make-300vw: a small data set in the layout of 300VW."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors


@one_line_errors()
def make_300vw(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the videos.")],
    data: Annotated[Path, typer.Option(help="Folder of 300W, whose faces are set in motion.")],
    split: Annotated[str, typer.Option(help="Part of 300W the faces are taken from.")] = "common",
    videos: Annotated[int, typer.Option(min=1, help="Videos to make, at most 64.")] = 10,
    frames: Annotated[int, typer.Option(min=3, help="Frames of each.")] = 300,
    motion: Annotated[str, typer.Option(help="still, slow, walk, fast, shake, approach, speech, dark, …")] = "slow",
) -> None:
    """Make a small 300VW of still faces in known motion."""
    from rich.progress import track as shown

    from startrack.quiet_console import QuietConsole
    from startrack.train.motion import made_300vw
    from startrack.train.motion.clips import SCENARIOS
    from startrack.train.sets import ibug_300w

    if motion not in SCENARIOS:
        raise typer.BadParameter(f"{motion!r}; expected one of {', '.join(SCENARIOS)}", param_hint="--motion")
    made = made_300vw.make_300vw(folder, ibug_300w.load(data, split), SCENARIOS[motion], videos=videos, frames=frames)
    console = QuietConsole()
    done = list(shown(made, "videos", videos, console=console, transient=True, disable=not console.is_terminal))
    typer.echo(f"{folder}: {len(done)} videos of {frames} frames: {' '.join(done)}")
