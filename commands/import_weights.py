"""import-weights: published weights of the STAR code → ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named


@one_line_errors()
def import_weights(
    official: Annotated[Path, typer.Argument(help="Weights of the STAR code (.pkl).")],
    out: Annotated[Path, typer.Option(callback=named(".safetensors"), help="File to write, for export and --init.")],
    entry: Annotated[Literal["net", "net_ema"], typer.Option(help="Which of the file's networks.")] = "net",
    overwrite: Overwrite = False,
) -> None:
    """Turn the STAR code's weights into ours."""
    from startrack.tracker.sinks.base import check_output
    from startrack.train.recipes.official_weights import read_official
    from startrack.train.weights.checkpoint import save_weights

    check_output(out, overwrite=overwrite)
    loaded = read_official(official, entry)
    save_weights(out, loaded.network, loaded.spec)
    typer.echo(f"{out}: {loaded.spec.name}, {loaded.spec.num_landmarks} landmarks")
