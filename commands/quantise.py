"""quantise: a model of landmarks, faces or eyes in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named


@one_line_errors()
def quantise(
    data: Annotated[
        Path,
        typer.Option(help="Data set whose faces set the ranges; for a detector photos with faces.json, or scenes."),
    ],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Model file to write; with its .json.")],
    weights: Annotated[
        Path | None, typer.Option(callback=named(".onnx"), help="Model in float32; default: our landmarks.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "300w",
    split: Annotated[str, typer.Option(help="Part to choose from; never that of a test set.")] = "train",
    faces: Annotated[int, typer.Option(min=8, help="Faces, or photos, to look at.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a model of landmarks, faces or eyes in 8-bit integers."""
    from startrack.engines.base import EyeSpec, ModelSpec
    from startrack.engines.graphs.quantise import quantise as run
    from startrack.engines.graphs.quantise import read_spec
    from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
    from startrack.tracker.sinks.base import check_output
    from startrack.train.feed.range_pictures import range_crops, range_eyes, range_photos
    from startrack.train.sets import DATASETS
    from startrack.train.sets.eyes.eye_sets import load_eye_set
    from startrack.train.sets.rendered_scenes import load_pictures

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_output(out, overwrite=overwrite)
    model = weights or zoo_path(FLOAT_LANDMARKS)
    spec = read_spec(model)
    if isinstance(spec, ModelSpec):
        inputs = range_crops(DATASETS[dataset](data, split), spec, faces, seed)
    elif isinstance(spec, EyeSpec):
        inputs = range_eyes(load_eye_set(data, split, {}), spec, faces, seed)
    else:
        inputs = range_photos(load_pictures(data, split), spec, faces, seed)
    typer.echo(f"{out}: sha256 {run(model, inputs, out).sha256}")
