"""Many videos tracked: a pool of processes on this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from startrack.commands.shared.errors import fail, note
from startrack.commands.shared.track_options import Outputs, Screen, TrackRequest, Workers
from startrack.commands.shared.track_video import track_video

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
    from rich.console import Console
    from rich.progress import Progress

    from startrack.tracker.session.batch import run_jobs
    from startrack.tracker.session.run import write_text

    jobs = list(_jobs(sources, request))
    results: list[VideoResult] = []
    console = Console(stderr=True)
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        workers_of(workers) as pool,
    ):
        task = progress.add_task("videos", total=len(jobs))
        with closing(run_jobs(jobs, partial(_work, request), pool)) as done:
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
    from startrack.tracker.session.batch import VideoJob
    from startrack.tracker.sinks.base import SinkError

    usual = TrackRequest()
    for group, name in ((group, name) for group, names in ALONE.items() for name in names):
        if getattr(getattr(request, group), name) != getattr(getattr(usual, group), name):
            raise typer.BadParameter("is for one video", param_hint=f"--{name.replace('_', '-')}")
    folders = [folder for folder in _folders(request.outputs) if folder is not None]
    if not folders:
        raise typer.BadParameter("missing; several videos need a folder for their outputs", param_hint="--jsonl")
    for folder in folders:
        if folder.suffix in (".mp4", ".csv", ".jsonl") or folder.is_file() or str(folder) == "-":
            raise typer.BadParameter(f"{str(folder)!r}; expected a folder, as there are several videos")
        folder.mkdir(parents=True, exist_ok=True)
    twice = [stem for stem, count in Counter(Path(source).stem for source in sources).items() if count > 1]
    if twice:
        raise SinkError(f"several videos are called {twice[0]!r}; expected different names for their outputs")
    settings = asdict(replace(request, outputs=replace(request.outputs, summary=None, overwrite=False)))
    for source in sources:
        record = folders[0] / f"{Path(source).stem}.track.json"
        job = VideoJob(Path(source), record, json.dumps(settings, default=str))
        taken = [path for path in _folders(_of_one(request, source).outputs) if path is not None and path.exists()]
        if taken and not record.exists() and not request.outputs.overwrite:
            raise SinkError(f"{taken[0]}: exists already; expected another folder, or --overwrite")
        if request.outputs.overwrite:
            record.unlink(missing_ok=True)
        yield job


def _folders(outputs: Outputs) -> tuple[Path | None, ...]:
    return outputs.save_video, outputs.csv, outputs.jsonl


def _of_one(request: TrackRequest, source: str) -> TrackRequest:
    """The request for one of the videos: files in place of folders."""

    def file(folder: Path | None, suffix: str) -> Path | None:
        return None if folder is None else folder / f"{Path(source).stem}{suffix}"

    asked = request.outputs
    files = Outputs(
        save_video=file(asked.save_video, ".mp4"),
        csv=file(asked.csv, ".csv"),
        jsonl=file(asked.jsonl, ".jsonl"),
        # what is there is an unfinished earlier attempt's, or may be overwritten
        overwrite=True,
    )
    return replace(request, outputs=files, screen=Screen(show="none"))


def _work(request: TrackRequest, job: VideoJob) -> VideoResult:
    """In a worker: one video."""
    import cv2

    from startrack.tracker.session.batch import run_job

    # as many processes as cores already
    cv2.setNumThreads(1)
    source = str(job.source)
    return run_job(job, lambda: track_video(source, _of_one(request, source), quiet=True))


@contextmanager
def workers_of(workers: Workers) -> Iterator[Executor]:
    if workers.dask is None:
        import multiprocessing

        # spawn: a forked process would share locks of libraries' threads
        with ProcessPoolExecutor(workers.jobs, multiprocessing.get_context("spawn")) as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError:
        fail("dask is not installed; expected: pip install 'startrack[cluster]'", 4)
    try:
        client = Client(workers.dask)
    except OSError as error:
        fail(f"{workers.dask}: no Dask scheduler answers: {error}", 4)
    with client:
        yield client.get_executor(pure=False)


def _line(result: VideoResult) -> str:
    if result.failure is not None:
        return result.failure if str(result.source) in result.failure else f"{result.source}: {result.failure}"
    return f"{result.source}: {result.summary.to_text() if result.summary else 'done before'}"


def _to_json(result: VideoResult) -> dict[str, object]:
    summary = asdict(result.summary) if result.summary else None
    return {"source": str(result.source), "failure": result.failure, "summary": summary}
