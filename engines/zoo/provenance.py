"""Origin of a shipped model, NAME.provenance.json next to NAME.onnx, and the licence that follows from it.

A model is free for any use if every picture, asset and number that went into it is, and every model that it began with
or learned from. One that is not says so in the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from startrack.engines.base import EngineError
from startrack.engines.sidecar import file_sha256
from startrack.outside import LARGEST_FACTS, read_json, reason, shown

SUFFIX = ".provenance.json"
FREE, RESEARCH = "free", "research"
"""Licences of models: any use, and non-commercial research only."""
FREE_LICENCES = ("MIT", "BSD-3-Clause", "Apache-2.0", "CC0-1.0", "public domain", "made by startrack")
"""Licences of inputs that allow any use; the last one is for drawings by a program of this project."""
ROLES = ("init", "teacher", "labels", "detector", "float")
"""Parts that another model can have had: first weights, answers to learn from, landmarks or boxes of pictures, and the
same model before quantisation."""


@dataclass(frozen=True, slots=True)
class Input:
    """Pictures, assets or numbers that went into a model."""

    name: str
    source: str
    """Publisher or command."""
    licence: str
    sha256: str | None
    """Of the file, or of the folder (benchmarks/shipping/provenance.py); None if it was not kept."""

    @property
    def is_free(self) -> bool:
        """Whether it may be used for anything, and is known to the byte."""
        return self.licence in FREE_LICENCES and self.sha256 is not None


@dataclass(frozen=True, slots=True)
class Parent:
    """Another model that took part."""

    role: str
    """One of ROLES."""
    name: str
    """Of a zoo model, or of a file."""
    sha256: str | None
    """None if it was not kept."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a model was made."""

    model: str
    sha256: str
    """Of the .onnx file."""
    licence: str
    """FREE or RESEARCH."""
    recipe: str
    commands: tuple[str, ...]
    inputs: tuple[Input, ...]
    parents: tuple[Parent, ...]


def provenance_path(model: Path) -> Path:
    """The provenance file of a model file."""
    return model.with_name(model.stem + SUFFIX)


def read_provenance(model: Path) -> Provenance:
    """How a model file was made. Raises EngineError if nothing says so, or not in this form."""
    path = provenance_path(model)
    try:
        values = read_json(path, LARGEST_FACTS)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{path}: cannot be read: {reason(error)}; expected the provenance of {model.name}"
        ) from error
    try:
        return _parsed(values)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"{path}: not a provenance: {reason(error)}") from error


def _parsed(values: Any) -> Provenance:
    licence = _text(values, "licence")
    if licence not in (FREE, RESEARCH):
        raise ValueError(f"licence {shown(licence)}; expected {FREE!r} or {RESEARCH!r}")
    inputs = tuple(
        Input(_text(one, "name"), _text(one, "source"), _text(one, "licence"), _digest(one))
        for one in _list(values, "inputs")
    )
    parents = tuple(Parent(_text(one, "role"), _text(one, "name"), _digest(one)) for one in _list(values, "parents"))
    for parent in parents:
        if parent.role not in ROLES:
            raise ValueError(f"parent {shown(parent.name)}: role {shown(parent.role)}; expected {', '.join(ROLES)}")
    if not inputs and not parents:
        raise ValueError("no inputs and no parents; expected what the model was made from")
    commands = tuple(str(command) for command in _list(values, "commands"))
    digest = _digest(values)
    if digest is None:
        raise ValueError("sha256: None; expected that of the model file")
    return Provenance(_text(values, "model"), digest, licence, _text(values, "recipe"), commands, inputs, parents)


def _text(values: Any, name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: {shown(value)}; expected a text")
    return value


def _list(values: Any, name: str) -> list[Any]:
    value = values[name]
    if not isinstance(value, list):
        raise ValueError(f"{name}: {shown(value)}; expected a list")
    return value


def _digest(values: Any) -> str | None:
    value = values["sha256"]
    if value is not None and not (
        isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
    ):
        raise ValueError(f"sha256: {shown(value)}; expected 64 hexadecimal digits, or null")
    return value


def faults(model: Path, children: tuple[Path, ...] = ()) -> Iterator[str]:
    """Faults of a model's provenance, a line each: that of a good one has none.

    A free model must have free inputs only, and parents that are free themselves: models in its own folder. children:
    models that lead here, which cannot be its parents.
    """
    try:
        found = read_provenance(model)
    except EngineError as error:
        yield str(error)
        return
    if found.model != model.stem:
        yield f"{model.name}: its provenance is of {found.model!r}"
    if found.sha256 != file_sha256(model):
        yield f"{model.name}: its provenance is of another file, sha256 {found.sha256[:12]}…"
    if found.licence != FREE:
        return
    for one in found.inputs:
        if not one.is_free:
            why = "not known to the byte" if one.licence in FREE_LICENCES else f"licence {one.licence!r}"
            yield f"{model.name}: said to be free, but made from {one.name!r}: {why}"
    for parent in found.parents:
        yield from _faults_of_parent(model, parent, (*children, model))


def _faults_of_parent(model: Path, parent: Parent, children: tuple[Path, ...]) -> Iterator[str]:
    path = model.with_name(f"{parent.name}.onnx")
    what = f"{model.name}: said to be free, but its {parent.role} is {parent.name!r}"
    if path in children or not path.is_file():
        yield f"{what}, which is no other model next to it"
    elif parent.sha256 != file_sha256(path):
        yield f"{what} of another sha256 than the file next to it"
    elif (problem := next(faults(path, children), None)) is not None:
        yield f"{what}: {problem}"
    elif read_provenance(path).licence != FREE:
        yield f"{what}, which is for research only"


def licence_of(model: Path) -> str | None:
    """FREE or RESEARCH; None for a file without a provenance, such as a user's own. Raises EngineError if its
    provenance is at fault."""
    if not provenance_path(model).is_file():
        return None
    if (problem := next(faults(model), None)) is not None:
        raise EngineError(problem)
    return read_provenance(model).licence
