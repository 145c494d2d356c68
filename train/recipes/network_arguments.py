"""A network's constructor arguments as a specification carries them, and back."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, TypeVar

from startrack.engines.base import AnySpec, EngineError, NetworkSpec

Arguments = TypeVar("Arguments")
"""A frozen dataclass of numbers and tuples of numbers, each with a default."""
LARGEST = 2048
"""Of any number: a file from outside must not ask for a network that fills the memory."""
MOST_ENTRIES = 16


def network_spec(architecture: str, arguments: Any) -> NetworkSpec:
    """arguments: a dataclass of them; the inverse of arguments_of."""
    return NetworkSpec(architecture, asdict(arguments))


def arguments_of(spec: AnySpec, kind: type[Arguments]) -> Arguments:
    """The arguments in a specification, which has a network; those that it does not name have their defaults.

    Raises EngineError for an unknown argument, one of another type and a number that is not above 0 or beyond LARGEST.
    """
    assert spec.network is not None
    defaults = kind()
    known = {field.name for field in fields(defaults)}  # type: ignore[arg-type]
    for name, value in spec.network.arguments.items():
        if name not in known:
            raise _error(spec, f"no argument {name!r}; expected {', '.join(sorted(known)) or 'none'}")
        example = getattr(defaults, name)
        same = isinstance(value, int | float) if type(example) is float else type(value) is type(example)
        entries = value if isinstance(value, tuple) else (value,)
        if not same or len(entries) > MOST_ENTRIES or not all(_is_size(one) for one in entries):
            raise _error(spec, f"{name} is {value!r}; expected something like {example!r}, up to {LARGEST}")
    return kind(**spec.network.arguments)


def _is_size(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, int | float) and 0 < value <= LARGEST)


def _error(spec: AnySpec, what: str) -> EngineError:
    assert spec.network is not None
    return EngineError(f"{spec.name}: network {spec.network.architecture!r}: {what}")
