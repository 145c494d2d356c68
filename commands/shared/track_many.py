"""Many videos tracked: a pool of processes on this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from startrack.commands.shared.errors import fail, note
from startrack.commands.shared.track_options import Outputs, TrackRequest, Workers
from startrack.commands.shared.track_video import track_video
from startrack.errors import install_line
from startrack.stopping import stoppable

if TYPE_CHECKING:
    from startrack.tracker.session.batch import VideoJob, VideoResult

ALONE = {
    "screen": ("show",),
    "avatars": ("openseeface", "osc", "vmc", "virtual_camera"),
    "following": ("init_box",),
    "camera": ("realtime",),
}
"""Options of one video and its moment, by their group."""


def track_many(sources: Sequence[str], request: TrackRequest, workers: Workers) -> None:
    """Track every video; outputs are folders, with a file named after each video and a record NAME.track.json.

    Leaves with exit code 7 if some videos could not be tracked.
    """
    from rich.progress import Progress

    from startrack.quiet_console import QuietConsole
    from startrack.tracker.session.batch import run_jobs
    from startrack.tracker.session.run import write_text

    jobs = list(_jobs(sources, request))
    results: list[VideoResult] = []
    console = QuietConsole()
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        workers_of(workers, len(jobs)) as (open_pool, at_once),
    ):
        task = progress.add_task("videos", total=len(jobs))
        with closing(run_jobs(jobs, partial(_work, request), open_pool, at_once=at_once)) as done:
            for result in done:
                results.append(result)
                progress.advance(task)
                note(_line(result))
    if request.outputs.summary:
        write_text(request.outputs.summary, json.dumps([_to_json(result) for result in results], indent=1))
    failed = sum(result.failure is not None for result in results)
    if failed:
        fail(f"{failed} of {len(results)} videos could not be tracked", 7)


def _jobs(sources: Sequence[str], request: TrackRequest) -> Iterator[VideoJob]:
    """Raises BadParameter for options that speak of one video, SinkError where outputs of others are in the way."""
    from startrack.tracker.session.batch import VideoJob, output_names
    from startrack.tracker.sinks.base import SinkError

    usual = TrackRequest()
    for group, option in ((group, option) for group, options in ALONE.items() for option in options):
        if getattr(getattr(request, group), option) != getattr(getattr(usual, group), option):
            raise typer.BadParameter("is for one video", param_hint=f"--{option.replace('_', '-')}")
    folders = [folder for folder in _folders(request.outputs) if folder is not None]
    if not folders:
        raise typer.BadParameter("missing; several videos need a folder for their outputs", param_hint="--jsonl")
    for folder in folders:
        if folder.suffix in (".mp4", ".csv", ".jsonl", ".parquet", ".html") or folder.is_file() or str(folder) == "-":
            raise typer.BadParameter(f"{str(folder)!r}; expected a folder, as there are several videos")
        folder.mkdir(parents=True, exist_ok=True)
    settings = asdict(replace(request, outputs=replace(request.outputs, summary=None, overwrite=False)))
    for source, name in zip(sources, output_names(sources), strict=True):
        record = folders[0] / f"{name}.track.json"
        for folder in folders:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        job = VideoJob(source, record, json.dumps(settings, default=str))
        taken = [path for path in _folders(_of_one(request, name).outputs) if path is not None and path.exists()]
        if taken and not record.exists() and not request.outputs.overwrite:
            raise SinkError(f"{taken[0]}: exists already; expected another folder, or --overwrite")
        if request.outputs.overwrite:
            record.unlink(missing_ok=True)
        yield job


def _folders(outputs: Outputs) -> tuple[Path | None, ...]:
    return outputs.save_video, outputs.csv, outputs.jsonl, outputs.parquet, outputs.report, outputs.save_crops


def _of_one(request: TrackRequest, name: Path | str) -> TrackRequest:
    """The request for one of the videos: files in place of folders. name: of its outputs."""

    def file(folder: Path | None, suffix: str) -> Path | None:
        return None if folder is None else folder / f"{name}{suffix}"

    folders = request.outputs
    files = replace(
        folders,
        save_video=file(folders.save_video, ".mp4"),
        csv=file(folders.csv, ".csv"),
        jsonl=file(folders.jsonl, ".jsonl"),
        parquet=file(folders.parquet, ".parquet"),
        report=file(folders.report, ".html"),
        save_crops=file(folders.save_crops, "_aligned"),
        summary=None,
        # existing files are an unfinished earlier attempt's, or may be overwritten
        overwrite=True,
    )
    return replace(request, outputs=files, screen=replace(request.screen, show="none"))


def _work(request: TrackRequest, job: VideoJob) -> VideoResult:
    """In a worker: one video."""
    import cv2

    from startrack.tracker.session.batch import run_job

    # as many processes as cores already
    cv2.setNumThreads(1)
    folders = [folder for folder in _folders(request.outputs) if folder is not None]
    name = str(job.record.relative_to(folders[0])).removesuffix(".track.json")
    with stoppable():
        return run_job(job, lambda: track_video(job.source, _of_one(request, name), quiet=True))


@contextmanager
def workers_of(workers: Workers, jobs: int) -> Iterator[tuple[Callable[[int], Executor], int]]:
    """What makes an executor of so many workers, and how many jobs are done at a time."""
    if workers.dask is None:
        from startrack.tracker.session.workers import MOST_AT_ONCE, process_pool

        yield process_pool, min(workers.jobs, jobs, MOST_AT_ONCE) or 1
        return
    try:
        from distributed import Client
    except ImportError:
        fail(f"dask is not installed; expected: {install_line('cluster')}", 4)
    try:
        client = Client(workers.dask)
    except OSError as error:
        fail(f"{workers.dask}: no Dask scheduler answers: {error}", 4)
    with client:
        yield lambda _: client.get_executor(pure=False), jobs or 1


def _line(result: VideoResult) -> str:
    if result.failure is not None:
        return result.failure if result.source in result.failure else f"{result.source}: {result.failure}"
    return f"{result.source}: {result.summary.to_text() if result.summary else 'done before'}"


def _to_json(result: VideoResult) -> dict[str, object]:
    summary = asdict(result.summary) if result.summary else None
    return {"source": result.source, "failure": result.failure, "summary": summary}
