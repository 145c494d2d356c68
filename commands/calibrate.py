"""calibrate: make a model's uncertainties honest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, Threads, named

if TYPE_CHECKING:
    from startrack.engines.base import ModelSpec
    from startrack.train.sets.sample import Sample
    from startrack.train.validation.calibration import Calibration, Errors

HIDDEN = "mostly hidden"


@one_line_errors()
def calibrate(
    weights: Annotated[Path, typer.Option(callback=named(".onnx"), help="Landmark model to calibrate.")],
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Calibrated model; with its .json.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "300w",
    split: Annotated[str, typer.Option(help="Faces to fit on; never those of a test set.")] = "validation",
    threads: Threads = 2,
    overwrite: Overwrite = False,
) -> None:
    """Make a model's ellipses hold their stated share."""
    from startrack.engines.base import SCORE_RADIUS
    from startrack.engines.graphs.calibrate import CalibrationMap, calibrate_onnx
    from startrack.tracker.model_scheme import scheme_of
    from startrack.tracker.sinks.base import check_output
    from startrack.train.sets import DATASETS
    from startrack.train.validation.calibration import LEVELS, balanced, concatenated, cross_validated, fit_calibration

    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected {', '.join(DATASETS)}", param_hint="--dataset")
    check_output(out, overwrite=overwrite)
    spec, parts = _read(weights, DATASETS[dataset](data, split), threads)
    curves = [edge.indices for edge in scheme_of(spec).edges]
    mostly_hidden = parts.pop(HIDDEN)
    known = list(parts.values())
    fitted = balanced(fit_calibration(concatenated(known), curves, concatenated([*known, mostly_hidden])), known)
    within = CalibrationMap(
        fitted.weights, fitted.bias, fitted.widest, fitted.visibility_weights, fitted.visibility_bias
    )
    sidecar = calibrate_onnx(weights, out, within, score_radius=SCORE_RADIUS * spec.input_size)
    left_out = cross_validated(known, curves)
    for (name, part), honest in zip(parts.items(), left_out, strict=True):
        for level, was, now in zip(LEVELS, part.coverage(), honest, strict=True):
            typer.echo(f"{name} faces: {level:.0%} ellipses held {was:.1%} of the landmarks, now {now:.1%}")
    own, curve, face = fitted.growth
    typer.echo("(cross-validated, 5 folds of faces)")
    typer.echo(
        f"factors grow with the landmark's own spread {own:+.2f}, its curve's {curve:+.2f}, the face's {face:+.2f}"
    )
    typer.echo(_visibility_line(fitted, [parts["covered"], mostly_hidden]))
    typer.echo(f"{out}: sha256 {sidecar.sha256}")


def _visibility_line(fitted: Calibration, parts: Sequence[Errors]) -> str:
    from startrack.train.validation.calibration import chance_of_order, concatenated

    covered = concatenated(parts)
    visibility, hidden = fitted.visibility(covered), covered.hidden
    assert hidden is not None
    means = f"{visibility[hidden].mean():.2f} of covered landmarks, {visibility[~hidden].mean():.2f} of others"
    return f"visibility: {means}; in the right order {chance_of_order(visibility, hidden):.1%}"


def _read(weights: Path, samples: Sequence[Sample], threads: int) -> tuple[ModelSpec, dict[str, Errors]]:
    """The model's errors before any calibration, on plain faces and under every condition."""
    import tempfile

    from startrack.engines import load_engine
    from startrack.engines.graphs.calibrate import write_uncalibrated
    from startrack.train.sets.sample import fully_annotated
    from startrack.train.validation.calibration_faces import read_errors
    from startrack.train.validation.hard_crops import CONDITIONS, MOSTLY_HIDDEN

    with tempfile.TemporaryDirectory(prefix="startrack-calibrate-") as folder:
        bare = Path(folder) / weights.name
        write_uncalibrated(weights, bare)
        with load_engine(bare, "cpu", threads=threads) as engine:
            whole = fully_annotated(samples, engine.spec.num_landmarks)
            conditions = {**CONDITIONS, HIDDEN: MOSTLY_HIDDEN}
            return engine.spec, {
                name: read_errors(engine, whole, condition, seed=seed)
                for seed, (name, condition) in enumerate(conditions.items())
            }
