"""The contract of every sink: where tracked frames go."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from tracker.types import TrackedFrame


class SinkError(Exception):
    """An output cannot be opened or written; the message names the path and what was expected."""


class Sink(Protocol):
    """Takes tracked frames one by one; what was written stays readable whenever the sink is closed."""

    def write(self, tracked: TrackedFrame) -> None: ...

    def close(self) -> None:
        """Finish the output. Safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
