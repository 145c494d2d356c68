"""bench-stability: jitter, delay and kept peaks on faces set in motion."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.models import open_detector, open_engine
from startrack.commands.shared.options import (
    Detector,
    DetectorModel,
    DetectorSize,
    Figures,
    ModelLicence,
    ModelSize,
    Threads,
    Weights,
)

T = TypeVar("T")


@one_line_errors()
def bench_stability(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set; 68 iBUG landmarks.")] = "300w",
    split: Annotated[str, typer.Option(help="Faces to set in motion.")] = "validation",
    faces: Annotated[int, typer.Option(min=1, help="So many of them.")] = 4,
    scenario: Annotated[list[str] | None, typer.Option(help="Still, slow, fast, blink …; repeatable.")] = None,
    smooth: Annotated[list[str] | None, typer.Option(help="Smoothers to compare; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of motion and noise.")] = 0,
    clips: Annotated[Path | None, typer.Option(help="Folder that keeps the clips; those in it are used again.")] = None,
    model: ModelSize = None,
    licence: ModelLicence = None,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = None,
    json: Figures = None,
    threads: Threads = 1,
) -> None:
    """Measure jitter and delay on faces set in motion."""
    import tempfile
    from json import dumps

    from startrack.engines.zoo import licence_for
    from startrack.tracker.session.run import check_outputs, write_text
    from startrack.tracker.shape.evidence import Evidence
    from startrack.tracker.smooth import all_smoothers
    from startrack.train.motion import benchmark
    from startrack.train.motion.clips import SCENARIOS, choose_faces
    from startrack.train.motion.recording import replay
    from startrack.train.sets import DATASETS

    scenarios = _known(scenario, SCENARIOS, "--scenario")
    smoothers = _known(smooth, all_smoothers(), "--smooth")
    (load,) = _known([dataset], DATASETS, "--dataset").values()
    check_outputs(str(data), (json,), overwrite=True)
    results: dict[str, dict[str, list[benchmark.Figures]]] = {name: {} for name in smoothers}
    licence = licence_for(model, licence)
    with ExitStack() as stack:
        folder = clips or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="startrack-motion-")))
        folder.mkdir(parents=True, exist_ok=True)
        engine = stack.enter_context(open_engine(weights, "auto", threads, size=model, licence=licence))
        detect = stack.enter_context(open_detector(detector, detector_model, detector_size, licence=licence))
        made = benchmark.still_faces(choose_faces(load(data, split), faces), seed)
        for filmed in benchmark.film(made, list(scenarios.values()), folder, seed=seed):
            recording = benchmark.follow(filmed, detect, engine, Evidence(shapes=licence))
            for name, make_smoother in smoothers.items():
                points = replay(recording, make_smoother)
                measures = benchmark.figures(points, filmed, unsmoothed=recording.points, ids=recording.ids)
                results[name].setdefault(filmed.scenario.name, []).append(measures)
    typer.echo(benchmark.table(results), err=str(json) == "-")
    if json:
        write_text(json, dumps(benchmark.to_json(results), indent=2))


def _known(names: list[str] | None, choices: Mapping[str, T], option: str) -> dict[str, T]:
    """The choices of these names, all of them for none."""
    for name in names or ():
        if name not in choices:
            raise typer.BadParameter(f"{name!r}; expected {', '.join(choices)}", param_hint=option)
    return {name: choices[name] for name in names or choices}
