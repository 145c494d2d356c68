"""evaluate: a landmark model or a face detector on a data set."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from commands.errors import one_line_errors
from commands.models import open_detector, open_engine
from commands.options import Detector, DetectorModel, DetectorSize, Figures, Threads, Weights, named


@one_line_errors()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published; for faces with a faces.json.")],
    dataset: Annotated[str, typer.Option(help="300w for landmarks, faces for the detector.")] = "300w",
    split: Annotated[str | None, typer.Option(help="common, challenging, full, validation; faces: all.")] = None,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    json: Figures = None,
    plot: Annotated[Path | None, typer.Option(callback=named(".png", ".svg"), help="Draw the CED here.")] = None,
    worst: Annotated[Path | None, typer.Option(callback=named(".png", ".jpg"), help="Draw the worst here.")] = None,
    threads: Threads = 2,
) -> None:
    """Measure a landmark model or a face detector, in per cent."""
    from tracker.run import check_outputs, write_text
    from train.data import DATASETS
    from train.data.face_photos import load_face_photos
    from train.evaluate import evaluate as run
    from train.evaluate_faces import evaluate_faces
    from train.report import ced_plot, tables, worst_cases

    check_outputs(str(data), (json, plot, worst), overwrite=True)
    if dataset == "faces":
        with closing(open_detector(detector, detector_model, detector_size, 0.05)) as detect:
            faces = evaluate_faces(detect, load_face_photos(data, split or "all"), detector)
        typer.echo(faces.to_text(), err=str(json) == "-")
        if json:
            write_text(json, faces.to_json())
        return
    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected faces or {', '.join(DATASETS)}", param_hint="--dataset")
    with open_engine(weights, "auto", threads) as engine:
        evaluation = run(engine, DATASETS[dataset](data, split or "full"))
    typer.echo(tables.subset_table(evaluation), err=str(json) == "-")
    if json:
        write_text(json, evaluation.to_json())
    if plot:
        ced_plot.plot_ced({engine.spec.name: evaluation.nme}, plot, protocol=evaluation.protocol)
    if worst:
        worst_cases.worst_cases(evaluation, worst)
