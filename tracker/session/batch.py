"""Many videos, one job each: some at a time, each with a record that lets an interrupted batch go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from startrack.tracker.session.statistics import RunSummary
from startrack.tracker.sinks.base import SinkError
from startrack.whole_file import write_whole

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video to be tracked."""

    source: Path
    record: Path
    """JSON file that says how far the job is; nobody else writes it."""
    settings: str
    """What was asked, as text: a job is done only for the same."""

    def fingerprint(self) -> dict[str, Any]:
        """What must be the same for a finished job to count. Size and time of a source that is missing are null."""
        try:
            status = self.source.stat()
            size, changed = status.st_size, status.st_mtime_ns
        except OSError:
            size, changed = None, None
        return {"source": self.source.name, "size": size, "changed_ns": changed, "settings": self.settings}

    def state(self) -> State | None:
        """As recorded for this source and these settings; None if there is no such record."""
        try:
            recorded: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
            state: State = recorded.pop("state")
        except (OSError, ValueError, KeyError, AttributeError):
            return None
        return state if self.fingerprint().items() <= recorded.items() else None

    def write(self, state: State, **more: Any) -> None:
        """Raises SinkError if the record cannot be written."""
        text = json.dumps({"state": state, **self.fingerprint(), **more}, indent=1)
        try:
            write_whole(self.record, text + "\n")
        except OSError as error:
            raise SinkError(f"{self.record}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class VideoResult:
    """How a job ended."""

    source: Path
    summary: RunSummary | None = None
    """None if it failed, or had been done before."""
    failure: str | None = None


def run_job(job: VideoJob, work: Callable[[], RunSummary]) -> VideoResult:
    """Do one job and keep its record. Whatever goes wrong is the result's, so that other jobs go on."""
    try:
        job.write("running")
        summary = work()
        job.write("done", summary=asdict(summary))
    except Exception as error:
        failure = str(error) or repr(error)
        job.write("failed", failure=failure)
        return VideoResult(job.source, failure=failure)
    return VideoResult(job.source, summary)


def run_jobs(
    jobs: Sequence[VideoJob], work: Callable[[VideoJob], VideoResult], executor: Executor
) -> Generator[VideoResult]:
    """Results as they come; jobs that were done before come first and are not done again.

    work: run where the executor runs it, so it must be picklable. A worker that dies (out of memory, say) fails its job
    only. Closing the generator cancels the jobs that have not begun.
    """
    waiting = []
    for job in jobs:
        if job.state() == "done":
            yield VideoResult(job.source)
        else:
            waiting.append(job)
    futures = {executor.submit(work, job): job for job in waiting}
    try:
        for future in as_completed(futures):
            try:
                yield future.result()
            except (Exception, CancelledError) as error:
                yield VideoResult(futures[future].source, failure=f"its worker died: {error or type(error).__name__}")
    finally:
        for future in futures:
            future.cancel()
