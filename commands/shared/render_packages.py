"""Packages that rendering needs, and the line that names one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from startrack.commands.shared.errors import fail

RENDER_PACKAGES = ("numba", "llvmlite", "scipy")
"""Packages of the extra `render`."""


@contextmanager
def needing_render_packages() -> Iterator[None]:
    """Around imports of train.synthetic: ends the command with a line and code 4 where a package is missing."""
    try:
        yield
    except ImportError as error:
        if error.name in RENDER_PACKAGES:
            fail(f"{error.name} is not installed; expected: pip install 'startrack[render]'", 4)
        raise
