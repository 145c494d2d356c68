"""Many videos, one job each: some at a time, each with a record that lets an interrupted batch go on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from startrack.outside import LARGEST_FACTS, read_json
from startrack.tracker.session.record_lock import LockedError, record_lock
from startrack.tracker.session.statistics import RunSummary
from startrack.tracker.session.workers import run_in_pool
from startrack.tracker.sinks.base import SinkError
from startrack.whole_file import write_whole

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video to be tracked."""

    source: str
    """Path or URL."""
    record: Path
    """JSON file that says how far the job is; nobody else writes it."""
    settings: str
    """The options, as text: a job is done only for the same."""

    def fingerprint(self) -> dict[str, Any]:
        """What must be the same for a finished job to count. Size and time are null of a URL, and of a source that is
        missing; a URL's password is not part of it."""
        try:
            status = Path(self.source).stat()
            size, changed = status.st_size, status.st_mtime_ns
        except (OSError, ValueError):
            size, changed = None, None
        return {"source": source_name(self.source), "size": size, "changed_ns": changed, "settings": self.settings}

    def state(self) -> State | None:
        """As recorded for this source and these settings; None if there is no such record."""
        try:
            recorded: dict[str, Any] = read_json(self.record, LARGEST_FACTS)
            state: State = recorded.pop("state")
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        same = all(recorded.get(name) == value for name, value in self.fingerprint().items())
        return state if same and state in get_args(State) else None

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

    source: str
    summary: RunSummary | None = None
    """None if it failed, or had been done before."""
    failure: str | None = None


def run_job(job: VideoJob, work: Callable[[], RunSummary]) -> VideoResult:
    """Do one job and keep its record. Whatever goes wrong is the result's, so that other jobs go on."""
    try:
        with record_lock(job.record):
            if job.state() == "done":  # by another run, in the meantime
                return VideoResult(job.source)
            return _run_locked(job, work)
    except LockedError as error:
        return VideoResult(job.source, failure=str(error))
    except OSError as error:
        return VideoResult(job.source, failure=f"{job.record}: cannot be written: {error.strerror}")


def _run_locked(job: VideoJob, work: Callable[[], RunSummary]) -> VideoResult:
    try:
        job.write("running")
        summary = work()
        job.write("done", summary=asdict(summary))
    except Exception as error:
        failure = str(error) or repr(error)
        with suppress(SinkError):
            job.write("failed", failure=failure)
        return VideoResult(job.source, failure=failure)
    return VideoResult(job.source, summary)


def run_jobs(
    jobs: Sequence[VideoJob],
    work: Callable[[VideoJob], VideoResult],
    open_pool: Callable[[int], Executor],
    *,
    at_once: int,
) -> Generator[VideoResult]:
    """Results as they come; jobs that were done before come first and are not done again.

    work: run where the executor runs it, so it must be picklable. A worker that dies (out of memory, say) fails its job
    only (tracker.session.workers). Closing the generator ends the workers.
    """
    waiting = []
    for job in jobs:
        if job.state() == "done":
            yield VideoResult(job.source)
        else:
            waiting.append(job)
    for job, result in run_in_pool(waiting, work, open_pool, at_once=at_once):
        if isinstance(result, Exception):
            failure = str(result) or repr(result)
            with suppress(SinkError):
                job.write("failed", failure=failure)
            result = VideoResult(job.source, failure=failure)
        yield result


def source_name(source: str) -> str:
    """The last part of a path or URL, without a query, which may hold a password."""
    if "://" in source:
        parts = urlsplit(source)
        return Path(parts.path).name or parts.hostname or "stream"
    return Path(source).name


def output_names(sources: Sequence[str]) -> list[Path]:
    """Names of the outputs of each source, without a suffix: its own name; where several have the same, with as
    many of the folders above it as tell them apart.

    Raises SinkError if a source is named twice.
    """
    stems = [Path(source_name(source)).stem for source in sources]
    twice = {stem for stem, count in Counter(stems).items() if count > 1}
    names = [_longer_name(source) if stem in twice else Path(stem) for source, stem in zip(sources, stems, strict=True)]
    again = {name for name, count in Counter(names).items() if count > 1}
    if again:
        first, second = [source for source, name in zip(sources, names, strict=True) if name in again][:2]
        raise SinkError(f"{second}: named twice, or as {first}; expected videos of different names or folders")
    return names


def _longer_name(source: str) -> Path:
    """folder/name of a path, host/name of a URL; the suffix stays, since a.mp4 and a.mov are two videos."""
    if "://" in source:
        return Path(urlsplit(source).hostname or "stream", source_name(source))
    path = Path(os.path.abspath(source))
    return Path(path.parent.name, path.name)
