"""pack: a data set → one file of compact faces to train from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite


@one_line_errors()
def pack(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    out: Annotated[Path, typer.Option(help="File to write, e.g. faces.pack.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set, see train/sets.")] = "300w",
    split: Annotated[str, typer.Option(help="Part of the data set.")] = "train",
    size: Annotated[int, typer.Option(min=32, max=1024, help="Side of the packed pictures.")] = 320,
    overwrite: Overwrite = False,
) -> None:
    """Pack a data set's faces into one file to train from.

    The file holds pictures of the data set and stays under its terms: keep it out of repositories and releases.
    """
    from startrack.tracker.sinks.base import check_output
    from startrack.train.packs.pack import pack_faces
    from startrack.train.sets import DATASETS

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_output(out, overwrite=overwrite)
    samples = DATASETS[dataset](data, split)
    written = pack_faces(samples, out, size=size)
    typer.echo(f"{out}: {len(samples)} faces, {written / 2**20:.1f} MiB; under the terms of the data set")
