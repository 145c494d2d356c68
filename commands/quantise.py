"""quantise: a landmark model in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.errors import one_line_errors
from commands.options import Overwrite, named


@one_line_errors()
def quantise(
    data: Annotated[Path, typer.Option(help="Published folders of 300W, whose training faces set the ranges.")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Model file to write; its .json goes beside it.")],
    weights: Annotated[
        Path | None, typer.Option(callback=named(".onnx"), help="Landmark model; default: ours in float32.")
    ] = None,
    faces: Annotated[int, typer.Option(min=8, help="Training faces to look at.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the choice of faces.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a landmark model in 8-bit integers."""
    import numpy as np

    from engines import load_engine
    from engines.quantise import quantise as run
    from engines.zoo import FLOAT_LANDMARKS, zoo_path
    from tracker.schemes import SCHEMES
    from tracker.sinks.base import check_output
    from train.data import ibug_300w
    from train.data.dataset import FaceDataset, ItemKey

    check_output(out, overwrite=overwrite)
    model = weights or zoo_path(FLOAT_LANDMARKS)
    with load_engine(model) as engine:
        spec = engine.spec
    samples = ibug_300w.load(data, "train")
    chosen = np.random.default_rng(seed).choice(len(samples), min(faces, len(samples)), replace=False)
    crops = FaceDataset(
        [samples[int(index)] for index in chosen],
        SCHEMES[spec.scheme],
        crop_size=spec.input_size,
        crop_scale=spec.crop_scale,
        augmentation=None,
    )
    batches = [crops[ItemKey(0, index)].crops.numpy()[None] for index in range(len(crops))]
    if spec.colour_order == "bgr":
        batches = [batch[..., ::-1].copy() for batch in batches]
    typer.echo(f"{out}: sha256 {run(model, batches, out).sha256}")
