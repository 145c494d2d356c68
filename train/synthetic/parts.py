"""The parts of a scene: meshes, the materials they name, opacity textures, and layers to blend over."""

# V vertices, F triangles

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats, Indices, Mesh, make_mesh, merge, renumbered, vertex_normals
from startrack.train.synthetic.surface.material import Material


@dataclass(frozen=True, slots=True)
class Layer:
    """A thin thing that is blended over the picture instead of hiding it, e.g. lashes and lenses; also a material's
    place in a scene's list, whose triangles are then not opaque."""

    colour: tuple[float, float, float]
    """Linear RGB of the blended colour, in albedo under the scene's mean light."""
    hides: bool = False
    """Whether it hides landmarks where its opacity is above a half."""


@dataclass(frozen=True, slots=True, eq=False)
class Shell:
    """A surface over the skin that moves with it: a beard's hair, a mask."""

    source: Indices
    """(V,) head vertex under each of its vertices."""
    offset: Floats
    """(V, 3) cm from there."""
    mesh: Mesh
    """Everything but its place."""

    def on(self, head: Floats) -> Mesh:
        """The mesh on a head of vertices (V', 3)."""
        vertices = np.ascontiguousarray(head[self.source] + self.offset, np.float32)
        return replace(self.mesh, vertices=vertices, normals=vertex_normals(vertices, self.mesh.faces))


@dataclass(slots=True, eq=False)
class Parts:
    """The parts of one head, collected while it is built."""

    materials: list[Material | Layer] = field(default_factory=list)
    textures: list[NDArray[np.uint8]] = field(default_factory=list)
    meshes: list[Mesh] = field(default_factory=list)
    """What moves with the head as a whole."""
    shells: list[Shell] = field(default_factory=list)

    def material(self, material: Material | Layer) -> int:
        """The number of a material that is added."""
        self.materials.append(material)
        return len(self.materials) - 1

    def texture(self, opacity: NDArray[np.uint8]) -> int:
        """The number of an opacity texture (H, W) that is added."""
        self.textures.append(np.ascontiguousarray(opacity, np.uint8))
        return len(self.textures) - 1

    def add(self, *meshes: Mesh) -> None:
        """Add meshes that move with the head as a whole."""
        self.meshes.extend(meshes)


def make_shell(
    head: Floats,
    faces: Indices,
    offset: Floats,
    material: int,
    *,
    cover: Floats,
    uv: Floats | None = None,
    rest: Floats | None = None,
    texture: int = -1,
) -> Shell:
    """A shell over those triangles of a head that it covers.

    head, offset: (V, 3). faces: (F, 3). cover: (V,) opacity, 0 or less where the skin is bare. uv: (V, 2).
    rest: (V, 3).
    """
    covered = cover > 0
    chosen = faces[covered[faces[:, 0]] | covered[faces[:, 1]] | covered[faces[:, 2]]]
    source, corners = _compact(chosen, len(head))
    mesh = make_mesh(
        head[source] + offset[source],
        corners,
        material,
        uv=None if uv is None else uv[source],
        cover=cover[source],
        texture=texture,
    )
    if rest is not None:
        mesh = replace(mesh, rest=np.ascontiguousarray(rest[source], np.float32))
    return Shell(source, np.ascontiguousarray(offset[source], np.float32), mesh)


def _compact(faces: Indices, count: int) -> tuple[Indices, Indices]:
    """The vertices, of `count`, that triangles (F, 3) have, in order, and the triangles with their numbers."""
    used = np.zeros(count, bool)
    used[faces] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(used).astype(np.int32), number[faces]


def merged(parts: Parts, moving: list[Mesh], materials: int, textures: int) -> Mesh:
    """All meshes of a head as one, numbered after those of other heads."""
    return renumbered(merge([*moving, *parts.meshes]), materials=materials, textures=textures)
