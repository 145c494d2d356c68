"""Meshes of bodies that are given by a distance: rounded cones that flow into each other, and naive surface nets."""

# N places, X Y Z cells

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Indices


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """A cone with round ends."""

    start: NDArray[np.float64]
    """(3,) cm."""
    end: NDArray[np.float64]
    start_radius: float
    end_radius: float


def distance(places: NDArray[np.float64], limbs: list[Limb], blend_cm: float) -> NDArray[np.float64]:
    """(N,) about the distance to the limbs' surface, negative inside; where two meet they flow into each other over
    blend_cm (Quilez' polynomial smooth minimum)."""
    cones = np.array([[*limb.start, *(limb.end - limb.start), limb.start_radius, limb.end_radius] for limb in limbs])
    found: NDArray[np.float64] = _distance(places, cones.reshape(-1, 8), blend_cm)
    return found


@compiled
def _distance(places, cones, blend_cm):  # type: ignore[no-untyped-def]
    """cones: (L, 8) start, axis and the radii at both ends."""
    out = np.empty(places.shape[0], np.float64)
    for i in range(places.shape[0]):
        total = 1e3
        for k in range(cones.shape[0]):
            ax, ay, az = cones[k, 3], cones[k, 4], cones[k, 5]
            x, y, z = places[i, 0] - cones[k, 0], places[i, 1] - cones[k, 1], places[i, 2] - cones[k, 2]
            share = (x * ax + y * ay + z * az) / max(ax * ax + ay * ay + az * az, 1e-9)
            share = min(max(share, 0.0), 1.0)
            x, y, z = x - share * ax, y - share * ay, z - share * az
            radius = cones[k, 6] + (cones[k, 7] - cones[k, 6]) * share
            one = np.sqrt(x * x + y * y + z * z) - radius
            mixed = min(max(0.5 + 0.5 * (total - one) / blend_cm, 0.0), 1.0)
            total = total * (1 - mixed) + one * mixed - blend_cm * mixed * (1 - mixed)
        out[i] = total
    return out


def surface_of(limbs: list[Limb], *, cell_cm: float, blend_cm: float) -> tuple[Floats, Indices]:
    """Vertices and triangles of the limbs' surface: a vertex in each cell that it crosses, at the mean of its crossings
    (Gibson, "Constrained Elastic Surface Nets", 1998)."""
    ends = np.array([p for limb in limbs for p in (limb.start, limb.end)])
    widest = max(max(limb.start_radius, limb.end_radius) for limb in limbs) + 2 * cell_cm
    low, high = ends.min(0) - widest, ends.max(0) + widest
    counts = np.ceil((high - low) / cell_cm).astype(int) + 1
    axes = [low[k] + cell_cm * np.arange(counts[k]) for k in range(3)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    field = distance(places, limbs, blend_cm).reshape(tuple(counts))
    return _surface_nets(field, low, cell_cm)


def _surface_nets(field: NDArray[np.float64], low: NDArray[np.float64], cell_cm: float) -> tuple[Floats, Indices]:
    inside = field < 0
    cells = tuple(n - 1 for n in field.shape)
    total, crossings = np.zeros((*cells, 3)), np.zeros(cells)
    quads: list[tuple[int, NDArray[np.intp], NDArray[np.bool_]]] = []
    for axis in range(3):
        first = tuple(slice(0, -1) if k == axis else slice(None) for k in range(3))
        second = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        crossed = inside[first] != inside[second]
        edge = np.argwhere(crossed)
        start, end = field[first][crossed], field[second][crossed]
        place = edge.astype(np.float64)
        place[:, axis] += start / (start - end)
        others = [k for k in range(3) if k != axis]
        for du in (0, 1):
            for dv in (0, 1):  # the four cells round the edge
                cell = edge.copy()
                cell[:, others[0]] -= du
                cell[:, others[1]] -= dv
                good = ((cell >= 0) & (cell < np.array(cells))).all(1)
                np.add.at(total, tuple(cell[good].T), place[good])
                np.add.at(crossings, tuple(cell[good].T), 1)
        quads.append((axis, edge, inside[first][crossed]))
    used = crossings > 0
    number = np.full(cells, -1)
    number[used] = np.arange(used.sum())
    vertices = low + cell_cm * total[used] / crossings[used][:, None]
    faces = [_faces(axis, edge, flip, number, cells) for axis, edge, flip in quads]
    return vertices.astype(np.float32), np.concatenate(faces).astype(np.int32)


def _faces(
    axis: int,
    edge: NDArray[np.intp],
    starts_inside: NDArray[np.bool_],
    number: NDArray[np.intp],
    cells: tuple[int, ...],
) -> NDArray[np.intp]:
    """Two triangles for each crossed edge, through the four cells round it, their normals outwards."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    good = (edge[:, u] > 0) & (edge[:, v] > 0) & (edge[:, u] < cells[u]) & (edge[:, v] < cells[v])
    edge, starts_inside = edge[good], starts_inside[good]
    corners = []
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
        cell = edge.copy()
        cell[:, u] -= du
        cell[:, v] -= dv
        corners.append(number[tuple(cell.T)])
    a, b, c, d = corners
    one, two = np.stack([a, b, c], 1), np.stack([a, c, d], 1)
    faces = np.concatenate([one, two])
    flip = np.concatenate([~starts_inside, ~starts_inside])
    faces[flip] = faces[flip][:, ::-1]
    return faces
