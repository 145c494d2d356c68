"""fetch-models: what MediaPipe's detector needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors


@one_line_errors()
def fetch_models(dest: Annotated[Path | None, typer.Option(help="Folder; default: the user's cache.")] = None) -> None:
    """Fetch the model of MediaPipe's face detector."""
    from startrack.tracker.detect.fetch import fetch_models as fetch

    typer.echo(f"{fetch(dest)}")
