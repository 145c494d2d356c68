"""A Triton server's answers within bounds: a server is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LARGEST_CONFIG = 1 << 22
"""Bytes of a model's configuration."""
CHUNK = 1 << 16


class BoundedAnswer:
    """An answer of the HTTP library, read at once and as far as allowed; has what tritonclient reads of one."""

    def __init__(self, answer: Any, largest: int) -> None:
        """Raises ValueError for more than `largest` bytes, and for a compressed answer, which nobody asked for and
        whose size nobody knows."""
        encoding = answer.get("Content-Encoding")
        if encoding not in (None, "", "identity"):
            raise ValueError(f"an answer in {str(encoding)[:40]!r}; expected none that is compressed")
        self.status_code = answer.status_code
        self._answer = answer
        body = bytearray()
        while piece := answer.read(CHUNK):
            body += piece
            if len(body) > largest:
                raise ValueError(f"an answer of more than {largest} bytes")
        self._body = memoryview(bytes(body))

    def get(self, name: str, default: Any = None) -> Any:
        """A header's value."""
        return self._answer.get(name, default)

    def read(self, length: int = -1) -> bytes:
        """The next so many bytes, or all that are left."""
        piece = self._body if length < 0 else self._body[:length]
        self._body = self._body[len(piece) :]
        return bytes(piece)


def bounded(request: Callable[..., Any], largest: Callable[[], int]) -> Callable[..., BoundedAnswer]:
    """The library's function get or post, whose answers have at most `largest()` bytes."""

    def ask(*values: Any, **options: Any) -> BoundedAnswer:
        return BoundedAnswer(request(*values, **options), largest())

    return ask
