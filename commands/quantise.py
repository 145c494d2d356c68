"""quantise: a landmark model in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named


@one_line_errors()
def quantise(
    data: Annotated[Path, typer.Option(help="Folder of the data set, whose faces set the ranges.")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Model file to write; with its .json.")],
    weights: Annotated[
        Path | None, typer.Option(callback=named(".onnx"), help="Landmark model; default: ours in float32.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "300w",
    split: Annotated[str, typer.Option(help="Faces to choose from; never those of a test set.")] = "train",
    faces: Annotated[int, typer.Option(min=8, help="Faces to look at.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the choice of faces.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a landmark model in 8-bit integers."""
    import numpy as np

    from startrack.engines import load_engine
    from startrack.engines.graphs.quantise import quantise as run
    from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
    from startrack.tracker.sinks.base import check_output
    from startrack.train.feed.dataset import FaceDataset, ItemKey
    from startrack.train.sets import DATASETS
    from startrack.train.sets.sample import fully_annotated

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_output(out, overwrite=overwrite)
    model = weights or zoo_path(FLOAT_LANDMARKS)
    with load_engine(model) as engine:
        spec = engine.spec
    samples = fully_annotated(DATASETS[dataset](data, split), spec.num_landmarks)
    chosen = np.random.default_rng(seed).choice(len(samples), min(faces, len(samples)), replace=False)
    crops = FaceDataset([samples[int(index)] for index in chosen], spec, augmentation=None)
    batches = [crops[ItemKey(0, index)].crops.numpy()[None] for index in range(len(crops))]
    typer.echo(f"{out}: sha256 {run(model, batches, out).sha256}")
