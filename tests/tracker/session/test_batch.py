from __future__ import annotations

import json
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from startrack.tracker.session.batch import VideoJob, VideoResult, run_job, run_jobs
from startrack.tracker.session.statistics import RunStatistics
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.video.base import SourceError

SUMMARY = RunStatistics().summary()


def make_jobs(folder: Path, *names: str, settings: str = "{}") -> list[VideoJob]:
    for name in names:
        (folder / f"{name}.mp4").write_text(name)
    return [VideoJob(folder / f"{name}.mp4", folder / f"{name}.track.json", settings) for name in names]


def work(job: VideoJob) -> VideoResult:
    """Adds a line to a log beside the video; the video called "bad" cannot be read."""
    with (job.source.parent / "log").open("a") as log:
        log.write(job.source.stem + "\n")

    def track() -> object:
        if job.source.stem == "bad":
            raise SourceError(f"{job.source}: not a video")
        if job.source.stem == "odd":
            raise ZeroDivisionError
        return SUMMARY

    return run_job(job, track)  # type: ignore[arg-type]


def done_by(folder: Path) -> list[str]:
    return sorted((folder / "log").read_text().split())


def test_one_bad_video_stops_no_other(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "bad", "odd", "b")
    with ThreadPoolExecutor(2) as pool:
        results = {result.source.stem: result for result in run_jobs(jobs, work, pool)}
    assert results["a"].summary == results["b"].summary == SUMMARY
    assert results["bad"].failure == f"{tmp_path / 'bad.mp4'}: not a video"
    assert results["odd"].failure == "ZeroDivisionError()"
    states = {job.source.stem: job.state() for job in jobs}
    assert states == {"a": "done", "bad": "failed", "odd": "failed", "b": "done"}
    assert json.loads((tmp_path / "a.track.json").read_text())["summary"]["frames"] == 0


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "bad", "b")
    with ThreadPoolExecutor(1) as pool:
        list(run_jobs(jobs, work, pool))
        (tmp_path / "log").unlink()
        again = list(run_jobs(jobs, work, pool))
    assert done_by(tmp_path) == ["bad"]
    assert [(result.summary, result.failure) for result in again[:2]] == [(None, None)] * 2


def test_another_video_or_other_settings_are_done_anew(tmp_path: Path) -> None:
    [job] = make_jobs(tmp_path, "a")
    work(job)
    assert job.state() == "done"
    assert replace(job, settings='{"mirror": true}').state() is None
    os.utime(job.source, ns=(1, 1))
    assert job.state() is None
    job.record.write_text("{")
    assert job.state() is None


def test_an_interrupted_job_is_not_done(tmp_path: Path) -> None:
    [job] = make_jobs(tmp_path, "a")
    with pytest.raises(KeyboardInterrupt):
        run_job(job, lambda: (_ for _ in ()).throw(KeyboardInterrupt))  # type: ignore[arg-type]
    assert job.state() == "running"


def test_a_record_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    [job] = make_jobs(tmp_path, "a")
    with pytest.raises(SinkError, match=r"a\.track\.json: cannot be written"):
        replace(job, record=tmp_path / "none" / "a.track.json").write("running")


def die(job: VideoJob) -> VideoResult:
    os._exit(9)


def test_a_worker_that_dies_fails_its_job(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        [result] = run_jobs(make_jobs(tmp_path, "a"), die, pool)
    assert result.failure is not None
    assert result.failure.startswith("its worker died: ")


class Waiting(Executor):
    """Begins nothing but the first job."""

    def __init__(self) -> None:
        self.futures: list[Future[VideoResult]] = []

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def, override]
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(fn(*args, **kwargs))
        return self.futures[-1]


def test_leaving_cancels_what_has_not_begun(tmp_path: Path) -> None:
    pool = Waiting()
    with closing(run_jobs(make_jobs(tmp_path, "a", "b", "c"), work, pool)) as results:
        assert next(results).summary == SUMMARY
    assert [future.cancelled() for future in pool.futures] == [False, True, True]
    assert done_by(tmp_path) == ["a"]
