"""calibrate: make a model's uncertainties honest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.errors import one_line_errors
from commands.options import Overwrite, Threads, named


@one_line_errors()
def calibrate(
    weights: Annotated[Path, typer.Option(callback=named(".onnx"), help="Landmark model to calibrate.")],
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Calibrated model; its .json goes beside it.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "300w",
    split: Annotated[str, typer.Option(help="Faces to fit on; never those of a test set.")] = "validation",
    threads: Threads = 2,
    overwrite: Overwrite = False,
) -> None:
    """Make a model's ellipses hold what they promise."""
    from engines import load_engine
    from engines.calibrate import calibrate_onnx, read_scale
    from tracker.decode import SCORE_RADIUS
    from tracker.schemes import SCHEMES
    from tracker.sinks.base import check_output
    from train.calibration import LEVELS, cross_validated, fit_scales, prediction_errors
    from train.data import DATASETS
    from train.evaluate import evaluate

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_output(out, overwrite=overwrite)
    with load_engine(weights, "cpu", threads=threads) as engine:
        spec = engine.spec
        found = prediction_errors(evaluate(engine, DATASETS[dataset](data, split)))
    curves = [edge.indices for edge in SCHEMES[spec.scheme].edges]
    before = read_scale(weights) or [1.0] * spec.num_landmarks
    scale = fit_scales(found, curves) * before
    sidecar = calibrate_onnx(weights, out, scale.tolist(), score_radius=SCORE_RADIUS * spec.input_size)
    shares = zip(LEVELS, found.coverage(), cross_validated(found, curves), strict=True)
    for level, was, now in shares:
        typer.echo(f"{level:.0%} ellipses held {was:.1%} of the landmarks, now {now:.1%} (cross-validated)")
    typer.echo(f"{out}: sha256 {sidecar.sha256}")
