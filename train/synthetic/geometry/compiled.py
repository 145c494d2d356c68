"""Compilation of the loops over triangles, pixels and points to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function compiled by numba at its first call and kept on disk; its types stay those of the source."""
    made: Callable[Arguments, Result] = njit(cache=True, fastmath=True, error_model="numpy")(function)
    return made
