"""render: faces made by program, with exact landmarks, as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.render_packages import needing_render_packages


@one_line_errors()
def render(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the data set; one of the same seed goes on.")],
    assets: Annotated[Path, typer.Option(help="Folder of assets, or of ICT-FaceKit; docs/synthetic.md.")],
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="Pictures that the set has in the end.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed gives other pictures.")] = 0,
    start: Annotated[int, typer.Option(min=0, max=10_000_000, help="Number of the first picture.")] = 0,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the pictures, px.")] = 224,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of photos without faces, for backgrounds.")] = None,
    part: Annotated[str, typer.Option(help="i/n: only every n-th picture from the i-th, for n processes.")] = "1/1",
    scenes: Annotated[bool, typer.Option("--scenes", help="Pictures of several people, for a face detector.")] = False,
) -> None:
    """Render faces with exact landmarks as a data set.

    evaluate and the recipes read it as --dataset rendered; a face detector's recipe reads --scenes.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from startrack.quiet_console import QuietConsole

    number, parts = _part(part)
    with needing_render_packages():
        import cv2

        from startrack.train.synthetic.backgrounds import read_backdrops
        from startrack.train.synthetic.crowd.group_set import open_scenes, render_scenes, scene_series
        from startrack.train.synthetic.head.assets import load_assets
        from startrack.train.synthetic.rendered_set import make_series, open_series, render_series
        from startrack.train.synthetic.studio import make_studio
    cv2.setNumThreads(0)  # a process has one core: --part shares a series out
    backdrops = read_backdrops(backgrounds)
    studio = make_studio(load_assets(assets))
    series = make_series(studio, seed, size, backdrops)
    numbers = range(start + number - 1, start + count, parts)
    if scenes:
        of_scenes = scene_series(series)
        open_scenes(out, of_scenes)
        pictures = render_scenes(studio, out, of_scenes, numbers, backdrops)
    else:
        open_series(out, series)
        pictures = render_series(studio, out, series, numbers, backdrops)
    console = QuietConsole()
    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    made = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(numbers))
        for _, new in pictures:
            made += new
            progress.advance(task)
    typer.echo(f"{out}: {len(numbers)} pictures, {made} of them made now")


def _part(text: str) -> tuple[int, int]:
    """(i, n) of "i/n"."""
    first, _, last = text.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 1024):
        raise typer.BadParameter(f"{text!r}; expected i/n with 1 ≤ i ≤ n ≤ 1024, e.g. 1/2", param_hint="--part")
    return int(first), int(last)
