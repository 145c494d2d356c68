"""recipes: what can be trained."""

from __future__ import annotations

import typer

from startrack.commands.shared.errors import one_line_errors


@one_line_errors()
def recipes() -> None:
    """List the trainings, a line each."""
    from startrack.train.recipes.lines import LINES

    width = max(map(len, LINES))
    for name, line in LINES.items():
        typer.echo(f"{name:{width}}  {line}")
