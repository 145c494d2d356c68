"""One way to be a context manager: an object with a close is closed at the end of its with block."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Closing(Protocol):
    """An engine, sink, source, window or bar: open when it is made, closed by name or by `with`."""

    def close(self) -> None:
        """Free its resources. Safe to call twice."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
