"""make-300vw: a small data set in the layout of 300VW."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.render_packages import needing_render_packages

if TYPE_CHECKING:
    from startrack.train.motion.clips import Scenario
    from startrack.train.motion.made_300vw import Series


@one_line_errors()
def make_300vw(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the videos.")],
    data: Annotated[Path | None, typer.Option(help="Folder of 300W, whose faces are set in motion.")] = None,
    split: Annotated[str, typer.Option(help="Part of 300W the faces are taken from.")] = "common",
    rendered: Annotated[Path | None, typer.Option(help="Folder of assets, to render heads instead.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Other rendered heads for another one.")] = 0,
    videos: Annotated[int, typer.Option(min=1, help="Videos to make, at most 64.")] = 10,
    frames: Annotated[int, typer.Option(min=3, help="Frames of each.")] = 300,
    motion: Annotated[
        str, typer.Option(help="still, slow, walk, fast, shake, approach, speech, dark, …; rendered: turn, crossing.")
    ] = "slow",
) -> None:
    """Make a small 300VW of still or rendered faces in motion."""
    from rich.progress import track as shown

    from startrack.quiet_console import QuietConsole
    from startrack.train.motion import made_300vw

    if (data is None) == (rendered is None):
        raise typer.BadParameter("expected either --data or --rendered", param_hint="--data")
    made_300vw.made_ids(videos)  # before the work of finding faces
    if rendered is not None:
        series = _rendered(rendered, motion, videos=videos, frames=frames, seed=seed)
    else:
        assert data is not None
        series = _still(data, split, motion, videos=videos, frames=frames)
    made = made_300vw.make_300vw(folder, series, videos=videos)
    console = QuietConsole()
    done = list(shown(made, "videos", videos, console=console, transient=True, disable=not console.is_terminal))
    typer.echo(f"{folder}: {len(done)} videos of {frames} frames: {' '.join(done)}")


def _still(data: Path, split: str, motion: str, *, videos: int, frames: int) -> Series:
    from startrack.train.motion import made_300vw
    from startrack.train.motion.clips import SCENARIOS
    from startrack.train.sets import ibug_300w

    scenario = _one_of(SCENARIOS, motion)
    return made_300vw.of_still_faces(ibug_300w.load(data, split), scenario, videos=videos, frames=frames)


def _rendered(assets: Path, motion: str, *, videos: int, frames: int, seed: int) -> Series:
    with needing_render_packages():
        from startrack.train.motion.rendered_clips import RENDERED_SCENARIOS, of_rendered_heads
        from startrack.train.synthetic.head.assets import load_assets
        from startrack.train.synthetic.studio import make_studio

    scenario = _one_of(RENDERED_SCENARIOS, motion)
    return of_rendered_heads(make_studio(load_assets(assets)), scenario, videos=videos, frames=frames, seed=seed)


def _one_of(scenarios: Mapping[str, Scenario], name: str) -> Scenario:
    if name not in scenarios:
        raise typer.BadParameter(f"{name!r}; expected one of {', '.join(scenarios)}", param_hint="--motion")
    return scenarios[name]
