"""eval-300vw: a landmark model on the videos of 300VW, by true boxes or through the tracker."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from startrack.commands.shared.errors import note, one_line_errors
from startrack.commands.shared.models import described, model_file, open_detector, open_engine
from startrack.commands.shared.options import (
    DetectEvery,
    Detector,
    DetectorModel,
    DetectorSize,
    Device,
    LookAhead,
    ModelLicence,
    ModelSize,
    Smooth,
    Threads,
    Weights,
)
from startrack.commands.shared.smoothing import frames_ahead
from startrack.stopping import stoppable

if TYPE_CHECKING:
    from startrack.train.video_evaluation.predict import VideoSettings
    from startrack.train.video_evaluation.results import VideoResult


@dataclass(frozen=True, slots=True, kw_only=True)
class _Models:
    """The model files of a run, opened by every worker for itself."""

    weights: Path
    device: str
    threads: int
    detector: str
    detector_model: Path | None
    detector_size: int | None
    licence: Literal["research", "free"]


@one_line_errors()
def eval_300vw(
    data: Annotated[Path, typer.Option(help="Folder with the videos' folders, as docs/eval_300vw.md describes it.")],
    out: Annotated[Path, typer.Option(help="Folder for results and report; finished videos in it are not done again.")],
    split: Annotated[
        Literal["test", "category1", "category2", "category3", "train"], typer.Option(help="Part of the data set.")
    ] = "test",
    mode: Annotated[
        Literal["oracle", "tracker"], typer.Option(help="True box in every frame, or detector and tracker.")
    ] = "oracle",
    crop: Annotated[
        Literal["ours", "fhr"], typer.Option(help="Of oracle: the model's own square, or FHR's, 1.3 times the face.")
    ] = "ours",
    flip: Annotated[bool, typer.Option("--flip", help="Of oracle: mean over the crop and its mirror image.")] = False,
    model: ModelSize = None,
    licence: ModelLicence = None,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = None,
    detect_every: DetectEvery = 15,
    smooth: Smooth = "kalman",
    lookahead: LookAhead = None,
    jobs: Annotated[int, typer.Option(min=1, help="Videos at a time.")] = os.cpu_count() or 1,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Measure a landmark model on the videos of 300VW.

    NME, AUC, failures, coverage, jitter and delay, per category and video.
    """
    from startrack.engines.zoo import licence_for
    from startrack.train.sets import ibug_300vw
    from startrack.train.sets.sample import DatasetError
    from startrack.train.video_evaluation.predict import VideoSettings
    from startrack.train.video_evaluation.store import Store

    if mode == "tracker" and (flip or crop != "ours"):
        raise typer.BadParameter("is of --mode oracle", param_hint="--flip" if flip else "--crop")
    ids = ibug_300vw.video_ids(split)
    present = [video_id for video_id in ids if (data / video_id).is_dir()]
    if not present:
        raise DatasetError(f"{data}: none of the {len(ids)} videos of 300VW {split}; expected folders like {ids[0]}")
    frames_ahead(lookahead, smooth)
    licence = licence_for(model, licence)
    settings = VideoSettings(
        mode=mode, crop=crop, flip=flip, smooth=smooth, look_ahead=lookahead, detect_every=detect_every, licence=licence
    )
    models = _Models(
        weights=model_file(weights, model, licence), device=device, threads=threads,
        detector=detector, detector_model=detector_model, detector_size=detector_size, licence=licence,
    )  # fmt: skip
    how = _how(models, settings)
    store = Store(out / "videos", json.dumps(how, sort_keys=True))
    results = _shown(_evaluate_all(present, partial(_work, data, models, settings, store), jobs), len(present))
    missing = [video_id for video_id in ids if video_id not in present]
    _write(out, sorted(results, key=lambda each: ids.index(each.id)), missing, how)


def _how(models: _Models, settings: VideoSettings) -> dict[str, Any]:
    """What made the results: the models' files by hash, and every setting of the mode."""
    from startrack.engines.zoo import detector_path

    values = asdict(settings)
    unused = ("smooth", "look_ahead", "detect_every", "licence") if settings.mode == "oracle" else ("crop", "flip")
    how: dict[str, Any] = {
        "model": described(models.weights),
        "device": models.device,
        "settings": {name: value for name, value in values.items() if name not in unused},
    }
    if settings.mode == "tracker":
        shipped = detector_path(models.licence) if models.detector in ("auto", "zoo") else None
        file = models.detector_model or shipped
        model = described(file) if file and file.is_file() else None
        how["detector"] = {"name": models.detector, "input_size": models.detector_size, "model": model}
    return how


def _work(data: Path, models: _Models, settings: VideoSettings, store: Any, video_id: str) -> VideoResult:
    """In a worker: one video, or its result of before."""
    import cv2

    from startrack.train.sets.ibug_300vw import read_annotations
    from startrack.train.video_evaluation.predict import evaluate_video

    video = read_annotations(data, video_id)
    before: VideoResult | None = store.read(video)
    if before is not None:
        return before
    # as many processes as cores already
    cv2.setNumThreads(1)
    with ExitStack() as stack:
        engine = stack.enter_context(open_engine(models.weights, models.device, models.threads))
        detect = None
        if settings.mode == "tracker":
            opened = open_detector(models.detector, models.detector_model, models.detector_size, licence=models.licence)
            detect = stack.enter_context(opened)
        result = evaluate_video(video, engine, detect, settings)
    store.write(video, result)
    return result


def _evaluate_all(ids: Sequence[str], work: partial[VideoResult], jobs: int) -> Iterator[VideoResult]:
    """Results as they come. The first error ends the run and its workers; finished videos are kept."""
    from startrack.engines.base import EngineError
    from startrack.tracker.session.workers import MOST_AT_ONCE, WorkerDiedError, process_pool, run_in_pool

    if jobs == 1 or len(ids) == 1:
        yield from map(work, ids)
        return
    with closing(
        run_in_pool(ids, partial(_in_worker, work), process_pool, at_once=min(jobs, len(ids), MOST_AT_ONCE))
    ) as done:
        for video_id, result in done:
            if isinstance(result, WorkerDiedError):
                raise EngineError(f"video {video_id}: {result}; expected memory for {jobs} videos at a time")
            if isinstance(result, Exception):
                raise result
            yield result


def _in_worker(work: partial[VideoResult], video_id: str) -> VideoResult:
    with stoppable():
        return work(video_id)


def _shown(results: Iterator[VideoResult], total: int) -> list[VideoResult]:
    from rich.progress import track

    from startrack.quiet_console import QuietConsole

    console = QuietConsole()
    return list(track(results, "videos", total, console=console, transient=True, disable=not console.is_terminal))


def _write(out: Path, results: list[VideoResult], missing: list[str], how: dict[str, Any]) -> None:
    """results.json, videos.csv, ced.svg and report.html, and the table on the screen."""
    from startrack.tracker.session.run import write_text
    from startrack.train.report import video_html, video_json, video_tables
    from startrack.train.video_evaluation.results import figures_by_category, problems

    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "results.json", video_json.results_json(results, missing, how))
    write_text(out / "videos.csv", video_json.videos_csv(results).rstrip("\n"))
    write_text(out / "ced.svg", video_html.ced_svg(results))
    write_text(out / "report.html", video_html.report(results, missing, how))
    figures = figures_by_category(results)
    typer.echo(f"{video_json.set_name(figures)}\n\n{video_tables.category_table(figures)}")
    for line in video_tables.causal_lines(figures):
        typer.echo(line)
    for line in [line for line in problems(results, missing) if not line.endswith(": missing")]:
        note(line)
    typer.echo(f"\n{out / 'report.html'}")
