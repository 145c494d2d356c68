from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest

from startrack.tracker.types import Frame
from startrack.tracker.video.buffer import BackgroundReader, latest, prefetch

BOTH = pytest.mark.parametrize("buffered", [prefetch, latest])
Buffered = Callable[..., BackgroundReader[int]]


class Numbers:
    """Counts up to `end`, then raises `error`, and remembers whether and where it was closed."""

    def __init__(self, end: int, error: Exception | None = None) -> None:
        self.next, self.end, self.error = 0, end, error
        self.closed_in: threading.Thread | None = None

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.next == self.end:
            raise self.error or StopIteration
        self.next += 1
        return self.next - 1

    def close(self) -> None:
        self.closed_in = threading.current_thread()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "startrack-reader"]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "waited 5 s in vain"
        time.sleep(0.002)


def test_prefetch_gives_every_item_in_order() -> None:
    with closing(prefetch(Numbers(100), size=3)) as items:
        assert list(items) == list(range(100))


def test_prefetch_reads_no_further_than_its_size() -> None:
    source = Numbers(100)
    with closing(prefetch(source, size=3)) as items:
        wait_until(lambda: source.next == 4)
        time.sleep(0.02)
        assert source.next == 4  # three in the buffer, one that waits for room
        assert next(items) == 0


def test_prefetch_holds_no_more_than_so_many_bytes_of_pictures() -> None:
    read: list[int] = []

    def frames(sizes: list[int]) -> Iterator[Frame]:
        for index, size in enumerate(sizes):
            read.append(index)
            yield Frame(np.zeros((size, 10, 3), np.uint8), index, float(index))

    with closing(prefetch(frames([10] * 20), size=8, most_bytes=900)) as items:
        wait_until(lambda: len(read) == 4)  # three of 300 bytes in the buffer, one that waits for room
        time.sleep(0.02)
        assert len(read) == 4
        assert [frame.index for frame in items] == list(range(20))
    read.clear()
    with closing(prefetch(frames([10, 1000, 1000, 10]), size=8, most_bytes=900)) as items:
        assert [frame.index for frame in items] == [0, 1, 2, 3], "one that is too large is read all the same"


def test_prefetch_of_no_items_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        prefetch([1], size=0)


def test_latest_drops_all_but_the_newest() -> None:
    asked, source = threading.Event(), Numbers(10)

    def paused() -> Iterator[int]:
        yield from source
        asked.wait(5)
        yield 10

    with closing(latest(paused())) as items:
        wait_until(lambda: source.next == 10)
        assert next(items) == 9
        asked.set()
        assert list(items) == [10]


@BOTH
def test_an_error_comes_after_the_items_before_it(buffered: Buffered) -> None:
    with closing(buffered(Numbers(1, OSError("unplugged")))) as items:
        assert next(items) == 0
        with pytest.raises(OSError, match="unplugged"):
            next(items)
        assert list(items) == []


@BOTH
def test_close_stops_the_thread_and_closes_the_source_in_it(buffered: Buffered) -> None:
    source = Numbers(-1)
    items = buffered(source)
    thread = readers()[0]
    next(items)
    started = time.monotonic()
    items.close()
    items.close()
    assert time.monotonic() - started < 1
    assert not readers()
    assert source.closed_in is thread
    assert list(items) == []


@BOTH
def test_a_reader_that_was_never_read_closes_its_source(buffered: Buffered) -> None:
    source = Numbers(-1)
    with buffered(source):
        pass
    assert source.closed_in is not None
    assert not readers()


@BOTH
def test_an_abandoned_reader_ends_its_thread(buffered: Buffered) -> None:
    source = Numbers(-1)
    items = buffered(source)
    next(items)
    del items
    gc.collect()
    wait_until(lambda: source.closed_in is not None)
    wait_until(lambda: not readers())


def test_an_error_in_the_consumer_stops_the_thread() -> None:
    source = Numbers(-1)
    with pytest.raises(KeyboardInterrupt), closing(latest(source)):
        raise KeyboardInterrupt
    assert source.closed_in is not None
    assert not readers()
