"""Installed distributions that get in each other's way, from their own metadata: for `startrack doctor`.

OpenCV and ONNX Runtime are each sold under several names that fill one folder. pip and uv install them over each other
without a word, and uninstalling one takes files of the other along.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata

FULL, CORE = "startrack", "startrack-core"
"""The distributions of startrack: with the default OpenCV and ONNX Runtime, and with those that are named as extras."""
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
ONNXRUNTIME = (
    "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-qnn",
    "onnxruntime-rocm", "onnxruntime-migraphx",
)  # fmt: skip
FAMILIES = (OPENCV, ONNXRUNTIME)
"""Distributions that fill one folder, the one that startrack requires first."""
LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libxcb.so.1": "libxcb1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
}
"""Shared library that OpenCV or MediaPipe opens → its Debian package."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution."""

    name: str
    """Lower case with hyphens, as on the index."""
    version: str
    requires: frozenset[str] = frozenset()
    """Distributions that it needs, without its extras."""
    optional: frozenset[str] = frozenset()
    """Distributions that its extras bring."""
    files: frozenset[str] = field(default=frozenset(), repr=False)
    """Absolute paths of its files that are not empty, from RECORD; without bytecode."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Distributions that cannot be installed together, or one that does not belong here."""

    packages: tuple[str, ...]
    problem: str
    cure: str
    """Command lines."""

    def __str__(self) -> str:
        return f"{self.problem}; run: {self.cure}"


def installed_packages(folders: Sequence[str] | None = None) -> dict[str, Package]:
    """Every distribution that Python finds, by name: the first where a name is there twice.

    folders: where to look, by default sys.path.
    """
    packages: dict[str, Package] = {}
    for distribution in metadata.distributions(path=list(sys.path if folders is None else folders)):
        name = _normal(distribution.metadata["Name"] or "")
        if name and name not in packages:
            packages[name] = _package(name, distribution)
    return packages


def find_clashes(packages: Mapping[str, Package]) -> list[Clash]:
    """All clashes that concern startrack, the worst first. packages: name → distribution (installed_packages)."""
    clashes = [
        *_twice(packages),
        *(clash for family in FAMILIES if (clash := _family_clash(family, packages)) is not None),
    ]
    named = {frozenset(clash.packages) for clash in clashes}
    for owners, files in shared_files(packages.values()).items():
        if any(owners <= names for names in named) or not owners & _affected(packages):
            continue
        names = tuple(sorted(owners))
        problem = f"{len(files)} files belong to {_list(names)}, {min(files)} for one"
        clashes.append(Clash(names, problem, f"pip uninstall --yes {' '.join(names)}, then install the one you need"))
    return clashes


def shared_files(packages: Iterable[Package]) -> dict[frozenset[str], set[str]]:
    """Names of distributions → the files that each of them owns."""
    owners: dict[str, list[str]] = defaultdict(list)
    for package in packages:
        for file in package.files:
            owners[file].append(package.name)
    shared: dict[frozenset[str], set[str]] = defaultdict(set)
    for file, names in owners.items():
        if len(names) > 1:
            shared[frozenset(names)].add(file)
    return dict(shared)


def library_cure(error: str) -> str | None:
    """How to install the shared library that an ImportError names; None if it names none that is known."""
    name = next((name for name in LIBRARIES if name in error), None)
    return None if name is None else f"on Debian: apt install {LIBRARIES[name]}"


def _twice(packages: Mapping[str, Package]) -> Iterable[Clash]:
    if FULL in packages and CORE in packages:
        problem = f"{FULL} and {CORE} are the same files"
        yield Clash((FULL, CORE), problem, f"pip uninstall --yes {FULL} {CORE}, then install one of them")


def _family_clash(family: tuple[str, ...], packages: Mapping[str, Package]) -> Clash | None:
    present = [name for name in family if name in packages]
    default, core = family[0], FULL not in packages
    others = [package for package in packages.values() if package.name not in (FULL, CORE)]
    required = [name for name in present if any(name in other.requires for other in others)]
    remove = f"pip uninstall --yes {' '.join(present)}"
    if len(present) < 2:
        return _exchanged(family, present, packages)
    problem = f"{_list([f'{name} {packages[name].version}' for name in present])} fill one folder"
    if len(required) > 1:
        users = ", ".join(f"{name} by {_users(name, others)}" for name in required)
        return Clash(tuple(present), f"{problem}; required: {users}", "separate environments for these packages")
    if required and required[0] != default and not core:
        problem += f"; {required[0]} is required by {_users(required[0], others)}"
        return Clash(tuple(present), problem, f"{remove} {FULL} && {_install_core(family, required[0], packages)}")
    keep = required[0] if required else (present[0] if core else default)
    cure = f"{remove} && pip install {keep}"
    if not core and not required:
        other = next(name for name in present if name != default)
        cure += f"; or, to keep {other}: {remove} {FULL} && {_install_core(family, other, packages)}"
    return Clash(tuple(present), problem, cure)


def _exchanged(family: tuple[str, ...], present: list[str], packages: Mapping[str, Package]) -> Clash | None:
    """Another one in place of what startrack requires: it works, but pip check and every update see a hole."""
    if FULL not in packages or not present or present == [family[0]]:
        return None
    problem = f"{present[0]} is in the place of {family[0]}, which {FULL} requires; pip check fails"
    return Clash((present[0],), problem, f"pip uninstall --yes {FULL} && {_install_core(family, present[0], packages)}")


def _install_core(family: tuple[str, ...], choice: str, packages: Mapping[str, Package]) -> str:
    """startrack-core with this member of the family and the installed one of the other family."""
    extras = [
        choice if other is family else next((name for name in other if name in packages), other[0])
        for other in FAMILIES
    ]
    return f"pip install '{CORE}[{','.join(extras)}]'"


def _affected(packages: Mapping[str, Package]) -> set[str]:
    """What startrack or one of its extras brings, and what these bring."""
    affected: set[str] = set()
    waiting = {FULL, CORE, *OPENCV, *ONNXRUNTIME} & packages.keys()
    while waiting:
        affected |= waiting
        brought = {
            name
            for package in map(packages.__getitem__, waiting)
            for name in package.requires | (package.optional if package.name in (FULL, CORE) else frozenset())
        }
        waiting = (brought & packages.keys()) - affected
    return affected


def _package(name: str, distribution: metadata.Distribution) -> Package:
    requirements = distribution.requires or []
    needed = {_required(line) for line in requirements if not re.search(r"\bextra\b", line.partition(";")[2])}
    folder = str(distribution.locate_file(""))
    files = set()
    for path, _, size in _rows(distribution.read_text("RECORD") or ""):
        if size not in ("", "0") and not path.endswith(".pyc"):
            files.add(os.path.normpath(os.path.join(folder, path)))
    return Package(
        name,
        distribution.version or "?",
        frozenset(needed),
        frozenset(map(_required, requirements)) - needed,
        frozenset(files),
    )


def _rows(text: str) -> Iterable[list[str]]:
    try:
        return [row for row in csv.reader(text.splitlines()) if len(row) == 3]
    except csv.Error:
        return []


def _required(requirement: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return _normal(match[1]) if match else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _users(name: str, packages: Iterable[Package]) -> str:
    return ", ".join(sorted(package.name for package in packages if name in package.requires))


def _list(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
