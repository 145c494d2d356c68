"""Figures of results files, to few decimals: such files stay readable, and their diffs small."""

from __future__ import annotations

from typing import Any


def rounded(value: Any, digits: int = 4) -> Any:
    """The same nesting of dicts and lists, every float in it to `digits` decimals; tuples become lists."""
    match value:
        case float():
            return round(value, digits)
        case dict():
            return {key: rounded(entry, digits) for key, entry in value.items()}
        case list() | tuple():
            return [rounded(entry, digits) for entry in value]
        case _:
            return value
