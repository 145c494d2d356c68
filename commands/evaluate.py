"""evaluate: a landmark model or a face detector on a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.models import described, model_file, open_detector, open_engine
from startrack.commands.shared.options import (
    Detector,
    DetectorModel,
    DetectorSize,
    Figures,
    ModelLicence,
    ModelSize,
    Threads,
    Weights,
    named,
)

if TYPE_CHECKING:
    from startrack.engines.base import ModelSpec
    from startrack.tracker.schemes import LandmarkScheme

FACES = "faces"
"""--dataset of the detector's photos."""


@one_line_errors()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as docs/data.md describes it.")],
    dataset: Annotated[
        str,
        typer.Option(help="300w[-private], wflw, cofw, 300vw, rendered, tsv, folder, coco-points; coco; mpii; faces"),
    ] = "300w",
    split: Annotated[str | None, typer.Option(help="Part of it, e.g. challenging; by default its whole test.")] = None,
    model: ModelSize = None,
    licence: ModelLicence = None,
    weights: Weights = None,
    crop: Annotated[
        Literal["landmarks", "published", "star"], typer.Option(help="What crops are cut by; star: STAR's squares.")
    ] = "landmarks",
    frame: Annotated[
        Literal["plain", "official"], typer.Option(help="Errors in the picture, or in the crop as STAR counts them.")
    ] = "plain",
    normaliser: Annotated[
        Literal["inter-ocular", "inter-pupil", "box", "diagonal"] | None,
        typer.Option(help="Length that errors are divided by; by default that of the data set's papers."),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Mean over the crop and its mirror image.")] = False,
    boxes: Annotated[Path | None, typer.Option(help="coco: a person detector's boxes, COCO's result format.")] = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = None,
    json: Figures = None,
    plot: Annotated[Path | None, typer.Option(callback=named(".png", ".svg"), help="Draw the CED here.")] = None,
    worst: Annotated[Path | None, typer.Option(callback=named(".png", ".jpg"), help="Draw the worst here.")] = None,
    threads: Threads = 2,
) -> None:
    """Measure a landmark model or a face detector, in per cent."""
    from startrack.engines.zoo import licence_for
    from startrack.tracker.session.run import check_outputs, write_text
    from startrack.train.evaluation import worst_cases
    from startrack.train.evaluation.evaluate import evaluate as run
    from startrack.train.evaluation.evaluate_body import BODY_DATASETS, evaluate_bodies
    from startrack.train.evaluation.evaluate_faces import evaluate_faces
    from startrack.train.evaluation.measure import EvalConditions
    from startrack.train.metrics.nme import NORMALISERS
    from startrack.train.metrics.protocols import protocol_of
    from startrack.train.report import ced_plot, tables
    from startrack.train.sets import DATASETS
    from startrack.train.sets.rendered_scenes import load_pictures

    licence = licence_for(model, licence)
    check_outputs(str(data), (json, plot, worst), overwrite=True)
    to_stderr = str(json) == "-"
    if dataset == FACES:
        with open_detector(detector, detector_model, detector_size, 0.05, licence=licence) as detect:
            faces = evaluate_faces(detect, load_pictures(data, split or "all"), detector)
        typer.echo(faces.to_text(), err=to_stderr)
        if json:
            write_text(json, faces.to_json())
        return
    if dataset in BODY_DATASETS:
        with open_engine(weights, "auto", threads, size=model, licence=licence) as engine:
            people = evaluate_bodies(engine, dataset, data, split=split, boxes=boxes, flip=flip)
        typer.echo(people.to_text(), err=to_stderr)
        if json:
            write_text(json, people.to_json())
        return
    if dataset not in DATASETS:
        known = ", ".join((FACES, *DATASETS, *BODY_DATASETS))
        raise typer.BadParameter(f"{dataset!r}; expected one of {known}", param_hint="--dataset")
    with open_engine(weights, "auto", threads, size=model, licence=licence) as engine:
        scheme = _scheme(dataset, data, split, engine.spec)
        protocol = protocol_of(dataset, scheme)
        if normaliser:
            chosen = {name.replace("_", "-"): name for name in NORMALISERS}[normaliser]
            protocol = replace(protocol, normaliser=chosen)
        samples = DATASETS[dataset](data, split or protocol.split)
        conditions = EvalConditions(crop=crop, frame=frame, flip=flip)
        evaluation = run(engine, samples, protocol=protocol, scheme=scheme, conditions=conditions)
    typer.echo(f"{tables.subset_table(evaluation)}\n\n{tables.conditions_text(evaluation)}", err=to_stderr)
    if json:
        write_text(json, evaluation.to_json(described(model_file(weights, model, licence))))
    if plot:
        ced_plot.plot_ced({engine.spec.name: evaluation.nme}, plot, protocol=evaluation.protocol)
    if worst:
        worst_cases.worst_cases(evaluation, worst)


def _scheme(dataset: str, data: Path, split: str | None, spec: ModelSpec) -> LandmarkScheme:
    """The model's scheme or, for a model of a user's own landmarks, the data set's description of them."""
    from startrack.tracker.model_scheme import scheme_of
    from startrack.tracker.schemes import PLAIN
    from startrack.train.sets.coco_points import read_scheme

    own = dataset == "coco-points" and spec.scheme.startswith(PLAIN)
    return read_scheme(data, split or "test") if own else scheme_of(spec)
