"""Processes that each do one job at a time: one that dies takes no other job with it, and none outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

MOST_AT_ONCE = 4 * (os.cpu_count() or 1)
"""Processes of process_pool: a number too large would take all memory before any work is done."""
FINISH_S = 10.0
"""How long a worker has to finish its outputs once it must end."""


class WorkerDiedError(Exception):
    """The process that did a job ended before the job did."""


def run_in_pool(
    jobs: Sequence[Job], work: Callable[[Job], Result], open_pool: Callable[[int], Executor], *, at_once: int
) -> Generator[tuple[Job, Result | Exception]]:
    """Each job and its result or exception, as they come; WorkerDiedError for a job whose process died.

    open_pool: makes an executor of so many workers. No more jobs are handed over than are worked on. When a process
    dies, those that were worked on are tried again one by one, since any of them may have killed it. Closing the
    generator ends the workers.
    """
    waiting, retries = deque(jobs), deque[Job]()
    while waiting or retries:
        alone = bool(retries)
        queue = retries if alone else waiting
        with _Pool[Job, Result](open_pool(1 if alone else at_once), work) as pool:
            while (queue or pool.running) and not pool.broken:
                while queue and len(pool.running) < (1 if alone else at_once):
                    pool.submit(queue.popleft())
                yield from pool.results()
            if alone:
                yield from ((job, WorkerDiedError("its worker died")) for job in pool.lost)
            else:
                retries += pool.lost


class _Pool(Generic[Job, Result]):
    """An executor, and its current jobs."""

    def __init__(self, executor: Executor, work: Callable[[Job], Result]) -> None:
        self._executor, self._work = executor, work
        self.running: dict[Future[Result], Job] = {}
        self.lost: list[Job] = []
        self.broken = False

    def submit(self, job: Job) -> None:
        try:
            with _silent_start():
                self.running[self._executor.submit(self._work, job)] = job
        except BrokenExecutor:
            self.lost.append(job)
            self._lose_all()

    def results(self) -> Generator[tuple[Job, Result | Exception]]:
        """Those that are there, at least one unless the pool breaks."""
        for future in wait(self.running, return_when=FIRST_COMPLETED).done if self.running else ():
            job = self.running.pop(future)
            try:
                result: Result | Exception = future.result()
            except BrokenExecutor:
                self.lost.append(job)
                self.broken = True
                continue
            except Exception as error:
                result = error
            yield job, result
        if self.broken:
            self._lose_all()

    def _lose_all(self) -> None:
        self.broken = True
        self.lost += self.running.values()
        self.running.clear()

    def __enter__(self) -> _Pool[Job, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        left = [future for future in self.running if not future.cancel()]
        if left and isinstance(self._executor, ProcessPoolExecutor):
            _end(self._executor)
        self._executor.shutdown(wait=True, cancel_futures=True)


def _end(pool: ProcessPoolExecutor) -> None:
    """Ask the workers to finish their outputs and leave, and after FINISH_S end them."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    for process in processes:
        process.terminate()
    last = time.monotonic() + FINISH_S
    for process in processes:
        process.join(max(0.0, last - time.monotonic()))
        if process.is_alive():
            process.kill()


def start_resource_tracker() -> None:
    """Start the process in which Python remembers semaphores, deaf to SIGHUP as it is to SIGINT and SIGTERM.

    A hung-up terminal signals the whole group. Without the tracker the next one knows none of the semaphores, and
    prints a traceback for each that is given back. A blocked signal stays blocked in a process that is started then.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def process_pool(count: int) -> ProcessPoolExecutor:
    """So many workers of this machine, MOST_AT_ONCE at most, that end when their parent does."""
    start_resource_tracker()
    # spawn: a forked process would share locks of libraries' threads
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(min(count, MOST_AT_ONCE), context, initializer=leave_with_parent)


@contextmanager
def _silent_start() -> Iterator[None]:
    """Processes that are started in the with block do not hear Ctrl-C before leave_with_parent: they would say where
    in their imports they are."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_with_parent() -> None:
    """Have this process end, its outputs finished, as soon as the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # Ctrl-C in a terminal reaches every process of it; the parent says when a worker has to go
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def watch() -> None:
        parent.join()
        with suppress(OSError):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(FINISH_S)
        os._exit(1)

    threading.Thread(target=watch, name="leave with parent", daemon=True).start()
