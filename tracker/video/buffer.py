"""Threads live here: read a source in the background, keeping every item (prefetch) or the newest (latest)."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from startrack.closing import Closing

T = TypeVar("T")

_JOIN_S = 2.0
"""How long close waits for the thread. One that is stuck in a silent camera ends when its read does."""
_WAKE_S = 0.5
"""A wait without a limit cannot be interrupted by Ctrl-C on Windows."""


AHEAD_BYTES = 192 << 20
"""Of pictures read ahead: 30 frames of 1080p, two of 8K."""


def prefetch(items: Iterable[T], size: int = 8, *, most_bytes: int = AHEAD_BYTES) -> BackgroundReader[T]:
    """Every item, in order, read up to `size` items ahead, and no further than their pictures hold so many bytes (but
    always one item): for files."""
    if size < 1:
        raise ValueError(f"size {size}: expected at least 1 item to read ahead")
    return BackgroundReader(_Buffer(size, drop=False, most_bytes=most_bytes), items)


def latest(items: Iterable[T]) -> BackgroundReader[T]:
    """The newest item; those that were not taken in time are dropped: for cameras. Frame.index shows the gaps."""
    return BackgroundReader(_Buffer(1, drop=True), items)


def picture_bytes(item: object) -> int:
    """Of the picture of a Frame or TrackedFrame; 0 of anything else."""
    image = getattr(getattr(item, "frame", item), "image", None)
    return int(getattr(image, "nbytes", 0))


class _Buffer(Generic[T]):
    """State that the two threads share. It does not hold the reader, so that an abandoned reader is collected."""

    def __init__(self, size: int, drop: bool, most_bytes: int = AHEAD_BYTES) -> None:
        self._items: deque[T] = deque()
        self._size, self._drop, self._most_bytes = size, drop, most_bytes
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Hand an item over, waiting for room unless old items are dropped; False if no more are wanted."""
        with self._changed:
            while self._is_full(item) and not self._stopped:
                if self._drop:
                    self._items.popleft()
                else:
                    self._changed.wait()
            if not self._stopped:
                self._items.append(item)
                self._bytes += picture_bytes(item)
                self._changed.notify_all()
            return not self._stopped

    def _is_full(self, item: T) -> bool:
        too_large = bool(self._items) and self._bytes + picture_bytes(item) > self._most_bytes
        return len(self._items) >= self._size or (too_large and not self._drop)

    def end(self, error: BaseException | None) -> None:
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def take(self) -> T:
        """The next item; after the last one the error the source ended with, or StopIteration."""
        with self._changed:
            while not self._items and not self._ended and not self._stopped:
                self._changed.wait(_WAKE_S)
            if self._items:
                item = self._items.popleft()
                self._bytes -= picture_bytes(item)
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None and not self._stopped:
            raise error
        raise StopIteration


class BackgroundReader(Closing, Generic[T]):
    """Items that a daemon thread reads from another iterable, which the thread owns and closes when it ends.

    An error of the source is raised here after the items that came before it. close() stops the thread.
    """

    def __init__(self, buffer: _Buffer[T], items: Iterable[T]) -> None:
        self._buffer = buffer
        self._thread = threading.Thread(target=_fill, args=(buffer, items), name="startrack-reader", daemon=True)
        self._finalizer = weakref.finalize(self, buffer.stop)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self._buffer.take()

    def close(self) -> None:
        """Stop the thread and wait until it has closed the source. Safe to call twice."""
        self._finalizer()
        self._thread.join(_JOIN_S)


def _fill(buffer: _Buffer[T], items: Iterable[T]) -> None:
    failure: BaseException | None = None
    try:
        try:
            for item in items:
                if not buffer.put(item):
                    break
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
    except BaseException as error:  # raised again where the items are consumed
        failure = error
    buffer.end(failure)
