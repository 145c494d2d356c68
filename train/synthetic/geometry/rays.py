"""Rays and nearest places on triangle meshes."""

# N rays or places, V vertices, F triangles

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Indices


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Places on a mesh that move with it."""

    corners: Indices
    """(N, 3) vertex numbers of the triangle that each lies in."""
    weights: Floats
    """(N, 3) barycentric weights."""

    def places(self, vertices: Floats) -> Floats:
        """(N, 3) where they are on a mesh of vertices (V, 3)."""
        result: Floats = (vertices[self.corners] * self.weights[..., None]).sum(1)
        return result

    def chosen(self, index: NDArray[np.integer] | slice) -> Anchors:
        """Some of them, in the order of the index."""
        return Anchors(self.corners[index], self.weights[index])


def nearest_anchors(places: Floats, vertices: Floats, faces: Indices) -> Anchors:
    """The places of a mesh nearest to (N, 3) places."""
    return Anchors(*_nearest(places.astype(np.float32), vertices, faces))


def hit_anchors(origins: Floats, directions: Floats, vertices: Floats, faces: Indices) -> tuple[Anchors, Floats]:
    """Where rays first meet a mesh, and at which distance, (N,) in lengths of their directions; inf: nowhere."""
    corners, weights, distance = _first_hits(origins.astype(np.float32), directions.astype(np.float32), vertices, faces)
    return Anchors(corners, weights), distance


@compiled
def _first_hits(origins, directions, vertices, faces):  # type: ignore[no-untyped-def]
    """Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection" (1997), for each ray and triangle."""
    count = origins.shape[0]
    corners = np.zeros((count, 3), np.int32)
    weights = np.zeros((count, 3), np.float32)
    distance = np.full(count, np.inf, np.float32)
    for face in range(faces.shape[0]):
        a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        for ray in range(count):
            dx, dy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
            px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
            determinant = ux * px + uy * py + uz * pz
            if abs(determinant) < 1e-12:
                continue
            sx, sy, sz = origins[ray, 0] - a[0], origins[ray, 1] - a[1], origins[ray, 2] - a[2]
            first = (sx * px + sy * py + sz * pz) / determinant
            if first < 0.0 or first > 1.0:
                continue
            qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
            second = (dx * qx + dy * qy + dz * qz) / determinant
            if second < 0.0 or first + second > 1.0:
                continue
            along = (vx * qx + vy * qy + vz * qz) / determinant
            if 1e-6 < along < distance[ray]:
                distance[ray] = along
                corners[ray] = faces[face]
                weights[ray, 0], weights[ray, 1], weights[ray, 2] = 1.0 - first - second, first, second
    return corners, weights, distance


@compiled
def _nearest(places, vertices, faces):  # type: ignore[no-untyped-def]
    """The nearest triangle of each place; triangles whose bounding sphere is farther than the best are passed over."""
    count = places.shape[0]
    corners = np.zeros((count, 3), np.int32)
    weights = np.zeros((count, 3), np.float32)
    best = np.full(count, np.inf)
    for face in range(faces.shape[0]):
        a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
        mx, my, mz = (a[0] + b[0] + c[0]) / 3, (a[1] + b[1] + c[1]) / 3, (a[2] + b[2] + c[2]) / 3
        radius = 0.0
        for corner in (a, b, c):
            radius = max(radius, np.sqrt((corner[0] - mx) ** 2 + (corner[1] - my) ** 2 + (corner[2] - mz) ** 2))
        for i in range(count):
            px, py, pz = places[i, 0], places[i, 1], places[i, 2]
            middle = np.sqrt((px - mx) ** 2 + (py - my) ** 2 + (pz - mz) ** 2)
            if middle - radius >= np.sqrt(best[i]):
                continue
            w1, w2, square = _on_triangle(px, py, pz, a, b, c)
            if square < best[i]:
                best[i] = square
                corners[i] = faces[face]
                weights[i, 0], weights[i, 1], weights[i, 2] = 1.0 - w1 - w2, w1, w2
    return corners, weights


@compiled
def _on_triangle(px, py, pz, a, b, c):  # type: ignore[no-untyped-def]
    """Weights of b and c at the triangle's place nearest to p, and its squared distance.

    Ericson, "Real-Time Collision Detection" (2005), 5.1.5.
    """
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    ax, ay, az = px - a[0], py - a[1], pz - a[2]
    bx, by, bz = px - b[0], py - b[1], pz - b[2]
    cx, cy, cz = px - c[0], py - c[1], pz - c[2]
    d1, d2 = ux * ax + uy * ay + uz * az, vx * ax + vy * ay + vz * az
    d3, d4 = ux * bx + uy * by + uz * bz, vx * bx + vy * by + vz * bz
    d5, d6 = ux * cx + uy * cy + uz * cz, vx * cx + vy * cy + vz * cz
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    w1, w2 = 0.0, 0.0
    if d1 <= 0 and d2 <= 0:
        pass
    elif d3 >= 0 and d4 <= d3:
        w1 = 1.0
    elif d6 >= 0 and d5 <= d6:
        w2 = 1.0
    elif vc <= 0 and d1 >= 0 and d3 <= 0:
        w1 = d1 / max(d1 - d3, 1e-12)
    elif vb <= 0 and d2 >= 0 and d6 <= 0:
        w2 = d2 / max(d2 - d6, 1e-12)
    elif va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        w2 = (d4 - d3) / max((d4 - d3) + (d5 - d6), 1e-12)
        w1 = 1.0 - w2
    elif va + vb + vc > 0:  # a triangle without an area has none of these regions
        w1, w2 = vb / (va + vb + vc), vc / (va + vb + vc)
    ex, ey, ez = ax - ux * w1 - vx * w2, ay - uy * w1 - vy * w2, az - uz * w1 - vz * w2
    return w1, w2, ex * ex + ey * ey + ez * ez
