"""ICT-FaceKit as published: the folder FaceXModel of .obj files, read as the arrays a head model needs."""

# V vertices, T texture coordinates, F triangles, S shapes

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.geometry.mesh import Floats, Indices

NEUTRAL = "generic_neutral_mesh"
IDENTITY = re.compile(r"identity\d{3}")
MAX_BYTES = 64 << 20
"""Largest .obj file that is read; the published ones have 3 MB."""
NUM_VERTICES = 26719
"""Vertices of the published mesh, whose numbers the landmarks refer to."""


@dataclass(frozen=True, slots=True, eq=False)
class IctArrays:
    """The published model: one mesh and the shapes added to its vertices."""

    vertices: Floats
    """(V, 3) cm, the mean head: x to the subject's left, y up, z out of the face."""
    texture_places: Floats
    """(T, 2) texture coordinates; the back of the head is in the tile 1..2."""
    faces: Indices
    """(F, 3) vertices of each triangle."""
    face_textures: Indices
    """(F, 3) texture coordinates of each triangle."""
    face_material: Indices
    """(F,) number in materials."""
    materials: tuple[str, ...]
    """Names without their prefix M_, e.g. Face, BackHead, Teeth, ScleraLeft."""
    identity: Floats
    """(S, V, 3) cm per standard deviation."""
    expression: Floats
    """(S, V, 3) cm at full strength."""
    expression_names: tuple[str, ...]
    """Names of expression, ARKit's with _L and _R."""


def read_ict_folder(folder: Path) -> IctArrays:
    """The model in a folder of .obj files. Raises DatasetError naming the file that is missing or not as published."""
    neutral = folder / f"{NEUTRAL}.obj"
    vertices, texture_places, faces, face_textures, face_material, materials = _read_mesh(neutral)
    identity: list[Floats] = []
    expression: dict[str, Floats] = {}
    for path in sorted(folder.glob("*.obj")):
        if path.stem == NEUTRAL:
            continue
        offset = _read_vertices(path, _content(path)) - vertices
        if IDENTITY.fullmatch(path.stem):
            identity.append(offset)
        else:
            expression[path.stem] = offset
    if not identity or not expression:
        raise DatasetError(f"{folder}: {len(identity)} identity and {len(expression)} expression shapes; expected both")
    stacked = np.stack(list(expression.values()))
    topology = (texture_places, faces, face_textures, face_material, materials)
    return IctArrays(vertices, *topology, np.stack(identity), stacked, tuple(expression))


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(f"{path}: {size} bytes; expected a mesh of at most {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error


def _read_vertices(path: Path, content: bytes) -> Floats:
    """(V, 3) of the lines that begin with v."""
    return _numbers(path, content, b"v ", 3, NUM_VERTICES)


def _numbers(path: Path, content: bytes, key: bytes, columns: int, rows: int | None) -> Floats:
    lines = re.findall(rb"^%s(.*)$" % key, content, re.MULTILINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how fromstring reports text: it stops there
        values = np.fromstring(b" ".join(lines).decode("ascii", "replace"), np.float32, sep=" ")
    expected = len(lines) if rows is None else rows
    if len(values) != expected * columns or not len(lines) or not np.isfinite(values).all():
        count = f"{len(values)} numbers in {len(lines)} lines {key.decode()!r}"
        raise DatasetError(f"{path}: {count}; expected {columns} finite numbers in each of {expected}")
    return values.reshape(-1, columns)


def _read_mesh(path: Path) -> tuple[Floats, Floats, Indices, Indices, Indices, tuple[str, ...]]:
    content = _content(path)
    vertices = _read_vertices(path, content)
    texture_places = _numbers(path, content, b"vt ", 2, None)
    corners: list[tuple[int, int]] = []
    face_material: list[int] = []
    materials: dict[str, int] = {}
    current = 0
    for number, line in enumerate(content.splitlines(), start=1):
        if line.startswith(b"usemtl "):
            name = line[7:].strip().decode("ascii", "replace").removeprefix("M_")
            current = materials.setdefault(name, len(materials))
        elif line.startswith(b"f "):
            polygon = _polygon(path, number, line, len(vertices), len(texture_places))
            for second in range(1, len(polygon) - 1):
                corners += [polygon[0], polygon[second], polygon[second + 1]]
                face_material.append(current)
    if not corners or not materials:
        raise DatasetError(f"{path}: no faces with materials; expected lines usemtl and f")
    pairs = np.array(corners, np.int32).reshape(-1, 3, 2)
    material = np.array(face_material, np.int32)
    return vertices, texture_places, pairs[..., 0].copy(), pairs[..., 1].copy(), material, tuple(materials)


def _polygon(path: Path, number: int, line: bytes, vertices: int, textures: int) -> list[tuple[int, int]]:
    try:
        pairs = [tuple(int(value) - 1 for value in corner.split(b"/")[:2]) for corner in line[2:].split()]
    except ValueError:
        pairs = []
    good = [(v[0], v[1]) for v in pairs if len(v) == 2 and 0 <= v[0] < vertices and 0 <= v[1] < textures]
    if not 3 <= len(good) == len(pairs) <= 8:
        shown = line.decode("ascii", "replace")[:80]
        raise DatasetError(f"{path}:{number}: {shown!r}; expected f and three or more vertex/texture numbers")
    return good


def check_arrays(arrays: dict[str, NDArray[np.generic]], where: str) -> None:
    """Refuse arrays whose shapes or numbers do not fit together. Raises DatasetError naming where they are from."""
    shapes = {
        "v": (NUM_VERTICES, 3),
        "vt": (None, 2),
        "f": (None, 3),
        "ft": (None, 3),
        "mi": (None,),
        "ident": (None, NUM_VERTICES, 3),
        "expr": (None, NUM_VERTICES, 3),
        "names": (None,),
        "mats": (None,),
    }
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else None
        if (
            found is None
            or len(found) != len(shape)
            or any(e not in (None, n) for e, n in zip(shape, found, strict=True))
        ):
            raise DatasetError(f"{where}: array {name!r} of shape {found}; expected {shape}")
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise DatasetError(f"{where}: array {name!r} has numbers that are not finite")
    limits = {"f": NUM_VERTICES, "ft": len(arrays["vt"]), "mi": len(arrays["mats"])}
    for name, limit in limits.items():
        values = arrays[name]
        if values.dtype.kind not in "iu" or len(values) != len(arrays["f"]) or not len(values):
            raise DatasetError(
                f"{where}: array {name!r} of {values.dtype} and {len(values)} rows; expected whole numbers"
            )
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= limit:
            raise DatasetError(f"{where}: array {name!r} from {low} to {high}; expected 0 to {limit - 1}")
    if len(arrays["names"]) != len(arrays["expr"]):
        raise DatasetError(f"{where}: {len(arrays['names'])} names of {len(arrays['expr'])} expression shapes")
