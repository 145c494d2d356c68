from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from startrack.tracker.session.batch import VideoJob, VideoResult, output_names, run_job, run_jobs
from startrack.tracker.session.statistics import RunStatistics
from startrack.tracker.session.workers import process_pool
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.video.base import SourceError

ROOT = Path(__file__).parents[3]
SUMMARY = RunStatistics().summary()


def make_jobs(folder: Path, *names: str, settings: str = "{}") -> list[VideoJob]:
    for name in names:
        (folder / f"{name}.mp4").write_text(name)
    return [VideoJob(str(folder / f"{name}.mp4"), folder / f"{name}.track.json", settings) for name in names]


def work(job: VideoJob) -> VideoResult:
    """Adds a line to a log beside the video; the video called "bad" cannot be read."""
    with (Path(job.source).parent / "log").open("a") as log:
        log.write(Path(job.source).stem + "\n")

    def track() -> object:
        if Path(job.source).stem == "bad":
            raise SourceError(f"{job.source}: not a video")
        if Path(job.source).stem == "odd":
            raise ZeroDivisionError
        return SUMMARY

    return run_job(job, track)  # type: ignore[arg-type]


def done_by(folder: Path) -> list[str]:
    return sorted((folder / "log").read_text().split())


def test_one_bad_video_stops_no_other(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "bad", "odd", "b")
    with ThreadPoolExecutor(2) as pool:
        results = {Path(result.source).stem: result for result in run_jobs(jobs, work, lambda count: pool, at_once=2)}
    assert results["a"].summary == results["b"].summary == SUMMARY
    assert results["bad"].failure == f"{tmp_path / 'bad.mp4'}: not a video"
    assert results["odd"].failure == "ZeroDivisionError()"
    states = {Path(job.source).stem: job.state() for job in jobs}
    assert states == {"a": "done", "bad": "failed", "odd": "failed", "b": "done"}
    assert json.loads((tmp_path / "a.track.json").read_text())["summary"]["frames"] == 0


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "bad", "b")
    list(run_jobs(jobs, work, ThreadPoolExecutor, at_once=1))
    (tmp_path / "log").unlink()
    again = list(run_jobs(jobs, work, ThreadPoolExecutor, at_once=1))
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


def die_of_poison(job: VideoJob) -> VideoResult:
    """Kills its process for "poison" and nothing else."""
    if Path(job.source).stem == "poison":
        os._exit(9)
    time.sleep(0.05)
    return work(job)


def test_a_worker_that_dies_fails_its_job_and_no_other(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "b", "poison", "c", "d")
    results = {Path(one.source).stem: one for one in run_jobs(jobs, die_of_poison, process_pool, at_once=2)}
    assert {name: one.failure for name, one in results.items()} == {
        "a": None, "b": None, "c": None, "d": None, "poison": "its worker died"
    }  # fmt: skip
    assert {Path(job.source).stem: job.state() for job in jobs}["poison"] == "failed"
    again = list(run_jobs(jobs, die_of_poison, process_pool, at_once=2))
    assert [one.failure for one in again if one.failure] == ["its worker died"]


class Waiting(Executor):
    """Begins nothing but the first job."""

    def __init__(self) -> None:
        self.futures: list[Future[VideoResult]] = []

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def, override]
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(fn(*args, **kwargs))
        return self.futures[-1]


def test_leaving_cancels_what_was_handed_over_and_hands_over_no_more(tmp_path: Path) -> None:
    pool = Waiting()
    jobs = make_jobs(tmp_path, "a", "b", "c", "d")
    with closing(run_jobs(jobs, work, lambda count: pool, at_once=2)) as results:
        assert next(results).summary == SUMMARY
    assert [future.cancelled() for future in pool.futures] == [False, True]
    assert done_by(tmp_path) == ["a"]


def test_a_record_belongs_to_one_run(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "b")
    code = f"""
import sys
from pathlib import Path
from startrack.tracker.session.record_lock import record_lock
with record_lock(Path({str(jobs[0].record)!r})):
    print("locked", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"locked"
        assert work(jobs[0]).failure == f"{jobs[0].record}: another run is working on it"
        assert work(jobs[1]).failure is None
        other.kill()
    assert work(jobs[0]).failure is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_leave_with_their_parent(tmp_path: Path) -> None:
    """Also when it is killed: nobody works on, or writes the files of the next run."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.tracker.session.test_batch import make_jobs, stay
from startrack.tracker.session.batch import run_jobs
from startrack.tracker.session.workers import process_pool
if __name__ == "__main__":
    list(run_jobs(make_jobs(Path({str(tmp_path)!r}), "a", "b"), stay, process_pool, at_once=2))
"""
    (tmp_path / "program.py").write_text(code)
    with subprocess.Popen([sys.executable, tmp_path / "program.py"], cwd=ROOT) as parent:
        pids = [_pid(tmp_path / name) for name in ("a.pid", "b.pid")]
        parent.kill()
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def stay(job: VideoJob) -> VideoResult:
    Path(job.source).with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(120)
    return work(job)


def _pid(path: Path) -> int:
    deadline = time.monotonic() + 100
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(path.read_text())


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["x/a.mp4", "y/b.mov"], ["a", "b"]),
        (["s1/video.mp4", "s2/video.mp4", "c.mp4"], ["s1/video.mp4", "s2/video.mp4", "c"]),
        (["http://me:secret@host/a.mp4?key=1", "b.mp4"], ["a", "b"]),
    ],
)
def test_outputs_are_named_after_their_videos(sources: list[str], names: list[str]) -> None:
    assert [name.as_posix() for name in output_names(sources)] == names


def test_a_video_that_is_named_twice_is_refused() -> None:
    with pytest.raises(SinkError, match=r"x/\.\./a\.mp4: named twice, or as a\.mp4"):
        output_names(["a.mp4", "x/../a.mp4"])


def test_no_password_is_kept(tmp_path: Path) -> None:
    job = VideoJob("rtsp://me:secret@camera/stream", tmp_path / "stream.track.json", "{}")
    job.write("running")
    assert "secret" not in job.record.read_text()
