"""bench: the milliseconds of each stage."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.models import open_detector, open_engine
from startrack.commands.shared.options import (
    DetectEvery,
    Detector,
    DetectorModel,
    DetectorSize,
    Figures,
    LookAhead,
    MaxFaces,
    ModelLicence,
    ModelSize,
    Smooth,
    Threads,
    Weights,
)
from startrack.commands.shared.smoothing import frames_ahead


@one_line_errors()
def bench(
    source: Annotated[str, typer.Argument(help="Video file.")],
    json: Figures = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure, after 30 to warm up.")] = 300,
    model: ModelSize = None,
    licence: ModelLicence = None,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = None,
    max_faces: MaxFaces = 8,
    detect_every: DetectEvery = 15,
    smooth: Smooth = "kalman",
    lookahead: LookAhead = 0,
    threads: Threads = 1,
) -> None:
    """Measure the milliseconds of each stage on a clip."""
    from startrack.engines.zoo import licence_for
    from startrack.tracker.pipeline import TrackerOptions
    from startrack.tracker.session.bench import Smoothing, measure
    from startrack.tracker.session.run import check_outputs, write_text
    from startrack.tracker.shape.evidence import Evidence
    from startrack.tracker.video.source import open_source

    licence = licence_for(model, licence)
    with ExitStack() as stack:
        check_outputs(source, (json,), overwrite=True)
        engine = stack.enter_context(open_engine(weights, "auto", threads, size=model, licence=licence))
        video = stack.enter_context(open_source(source))
        detect = stack.enter_context(open_detector(detector, detector_model, detector_size, licence=licence))
        options = TrackerOptions(max_faces=max_faces, detect_every=detect_every, evidence=Evidence(shapes=licence))
        smoothing = Smoothing(smooth, frames_ahead(lookahead, smooth))
        report = measure(video, detect, engine, smoothing=smoothing, options=options, count=frames)
        write_text(json or Path("-"), report.to_json())
