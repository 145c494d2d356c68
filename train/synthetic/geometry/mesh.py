"""Triangle meshes of a scene, for a face, its hair and everything worn."""

# V vertices, F triangles

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles with what their materials read at each vertex."""

    vertices: Floats
    """(V, 3) cm, in the head's frame: x to the subject's left, y up, z out of the face; after posing in the world's."""
    faces: Indices
    """(F, 3) vertex numbers."""
    normals: Floats
    """(V, 3) unit length, outwards."""
    rest: Floats
    """(V, 3) place on the neutral mean head (skin) or in the thing's own frame (worn things), cm."""
    uv: Floats
    """(V, 2) texture coordinates, v upwards."""
    cover: Floats
    """(V,) opacity, interpolated: above 1 is opaque, below 0 is cut away, between them a random share is kept."""
    material: Indices
    """(F,) number in the scene's list of materials."""
    texture: Indices
    """(F,) number of the opacity texture, -1 without."""
    stiffness: Floats
    """(V,) 1: moves with the head, 0: with the shoulders."""


def make_mesh(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    material: int,
    *,
    uv: NDArray[np.floating] | None = None,
    cover: NDArray[np.floating] | None = None,
    texture: int = -1,
) -> Mesh:
    """A mesh that moves with the head, its normals computed, its rest places its vertices.

    vertices: (V, 3). faces: (F, 3). uv: (V, 2), by default zeros. cover: (V,), by default opaque.
    """
    places: Floats = np.ascontiguousarray(vertices, np.float32)
    corners: Indices = np.ascontiguousarray(faces, np.int32)
    count = len(places)
    return Mesh(
        places,
        corners,
        vertex_normals(places, corners),
        places,
        np.zeros((count, 2), np.float32) if uv is None else np.ascontiguousarray(uv, np.float32),
        np.full(count, 2.0, np.float32) if cover is None else np.ascontiguousarray(cover, np.float32),
        np.full(len(faces), material, np.int32),
        np.full(len(faces), texture, np.int32),
        np.ones(count, np.float32),
    )


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one, in their order; material and texture numbers stay as they are."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + np.int32(offset) for mesh, offset in zip(meshes, offsets, strict=True)]

    def joined(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(mesh, name) for mesh in meshes])

    names = ("vertices", "normals", "rest", "uv", "cover", "material", "texture", "stiffness")
    return Mesh(faces=np.concatenate(faces), **{name: joined(name) for name in names})  # type: ignore[arg-type]


def renumbered(mesh: Mesh, *, materials: int, textures: int) -> Mesh:
    """The mesh with its material and texture numbers counted from an offset, for a scene of several heads."""
    texture = np.where(mesh.texture < 0, mesh.texture, mesh.texture + np.int32(textures)).astype(np.int32)
    return replace(mesh, material=(mesh.material + np.int32(materials)).astype(np.int32), texture=texture)


@compiled
def vertex_normals(vertices: Floats, faces: Indices) -> Floats:
    """(V, 3) unit normals, each the mean of its triangles' weighted by area; 0 where a vertex has no triangle."""
    out = np.zeros_like(vertices)
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ux, uy, uz = (vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2])
        vx, vy, vz = (vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2])
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            vertex = faces[face, corner]
            out[vertex, 0] += nx
            out[vertex, 1] += ny
            out[vertex, 2] += nz
    for vertex in range(out.shape[0]):
        length = np.sqrt(out[vertex, 0] ** 2 + out[vertex, 1] ** 2 + out[vertex, 2] ** 2)
        if length > 1e-12:
            out[vertex, 0] /= length
            out[vertex, 1] /= length
            out[vertex, 2] /= length
    return out


@compiled
def unit(vectors: Floats) -> Floats:
    """(N, 3) each vector over its length."""
    out = np.empty_like(vectors)
    for i in range(vectors.shape[0]):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        scale = 1.0 / np.sqrt(x * x + y * y + z * z + 1e-18)
        out[i, 0], out[i, 1], out[i, 2] = x * scale, y * scale, z * scale
    return out


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> Indices:
    """Triangles of a grid of rows × columns vertices, row by row; closed joins the last column to the first."""
    return _grid_faces(rows, columns, closed).copy()


@cache
def _grid_faces(rows: int, columns: int, closed: bool) -> Indices:
    last = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij")
    first = row * columns + column
    second = row * columns + (column + 1) % columns
    lower = np.stack([first, second, first + columns], -1)
    upper = np.stack([second, second + columns, first + columns], -1)
    return np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.int32)


def tube(
    path: NDArray[np.floating], radius: float | NDArray[np.floating], *, sides: int = 6, closed: bool = False
) -> tuple[Floats, Indices]:
    """A pipe along a path: vertices and triangles.

    path: (N, 3) cm. radius: cm, one or (N,). closed: the last place joins the first. Open ends stay open.
    """
    along = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    along = along / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    side = np.cross(along, np.array([0.11, 0.23, 0.97]))
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    other = np.cross(along, side)
    angle = np.arange(sides) / sides * 2 * np.pi
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(path),))[:, None, None]
    vertices = (path[:, None] + radii * ring).reshape(-1, 3)
    faces = grid_faces(len(path), sides, closed=True)
    if closed:
        last, column = (len(path) - 1) * sides, np.arange(sides)
        nxt = (column + 1) % sides
        seam = np.concatenate(
            [np.stack([last + column, last + nxt, column], 1), np.stack([last + nxt, nxt, column], 1)]
        )
        faces = np.concatenate([faces, seam.astype(np.int32)])
    return vertices.astype(np.float32), faces
