"""Which landmarks the camera sees: rays from it to each, against every triangle of the scene."""

# P places, V vertices, F triangles, S rays of a place

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Mesh
from startrack.train.synthetic.geometry.rasteriser import Textures, opacity


@dataclass(frozen=True, slots=True)
class Rays:
    """How a place is looked at."""

    tolerance_cm: float = 0.6
    """How much nearer to the camera than a place a surface must lie to hide it: a lid's own thickness does not."""
    spread_cm: float = 0.25
    """Distance of four further rays from the place's own, of which most decide: a single hair does not hide a landmark.
    0: its own ray decides."""


HIDING_OPACITY = 0.5


def visible(
    places: Floats, mesh: Mesh, seen: Floats, textures: Textures, hides: NDArray[np.bool_], rays: Rays = Rays()
) -> NDArray[np.bool_]:
    """(P,) whether most of the rays from the camera to each place reach it.

    places: (P, 3) and seen: (V, 3) the scene's vertices, both in the camera's frame, cm. hides: (F,) which triangles
    can hide something. A ray through a partly opaque triangle is stopped where its opacity is above a half.
    """
    offsets = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float32) * rays.spread_cm
    if not rays.spread_cm:
        offsets = offsets[:1]
    targets = (places[:, None] + offsets).reshape(-1, 3).astype(np.float32)
    arrays = (mesh.cover, mesh.uv, mesh.texture, textures.texels, textures.layout)
    order = np.argsort(targets[:, 1] / targets[:, 2], kind="stable")
    blocked = np.empty(len(targets), np.float32)
    limits = (rays.tolerance_cm, HIDING_OPACITY)
    blocked[order] = _blocked(np.ascontiguousarray(targets[order]), seen, mesh.faces, hides, *arrays, *limits)
    share: NDArray[np.floating] = blocked.reshape(len(places), -1).mean(1)
    return share < 0.5


@compiled
def _blocked(targets, seen, faces, hides, cover, uv, texture, texels, layout, tolerance, least):  # type: ignore[no-untyped-def]
    """(T,) 1 where a triangle lies across the way from the camera at 0 to the target, found in the plane z = 1, in
    which the targets are sorted by y."""
    count = targets.shape[0]
    flat = np.empty((count, 2), np.float64)
    for i in range(count):
        flat[i, 0], flat[i, 1] = targets[i, 0] / targets[i, 2], targets[i, 1] / targets[i, 2]
    heights = flat[:, 1].copy()
    left, right = flat[:, 0].min(), flat[:, 0].max()
    top, bottom = flat[:, 1].min(), flat[:, 1].max()
    blocked = np.zeros(count, np.float32)
    plane = np.empty((seen.shape[0], 2), np.float32)
    for i in range(seen.shape[0]):
        plane[i, 0], plane[i, 1] = seen[i, 0] / seen[i, 2], seen[i, 1] / seen[i, 2]
    for face in range(faces.shape[0]):
        if not hides[face]:
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if seen[a, 2] <= 0.1 or seen[b, 2] <= 0.1 or seen[c, 2] <= 0.1:
            continue
        x0, y0, x1, y1, x2, y2 = plane[a, 0], plane[a, 1], plane[b, 0], plane[b, 1], plane[c, 0], plane[c, 1]
        x_low, x_high, y_low, y_high = min(x0, x1, x2), max(x0, x1, x2), min(y0, y1, y2), max(y0, y1, y2)
        if x_high < left or x_low > right or y_high < top or y_low > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-14:
            continue
        for i in range(np.searchsorted(heights, y_low), count):
            x, y = flat[i, 0], flat[i, 1]
            if y > y_high:
                break
            if x < x_low or x > x_high or blocked[i] > 0:
                continue
            l1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
            l2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
            l0 = 1.0 - l1 - l2
            if l0 < 0 or l1 < 0 or l2 < 0:
                continue
            near = l0 / seen[a, 2] + l1 / seen[b, 2] + l2 / seen[c, 2]
            if 1.0 / near > targets[i, 2] - tolerance:
                continue
            w1, w2 = l1 / seen[b, 2] / near, l2 / seen[c, 2] / near
            w0 = 1.0 - w1 - w2
            share = opacity(
                cover[a] * w0 + cover[b] * w1 + cover[c] * w2,
                uv[a, 0] * w0 + uv[b, 0] * w1 + uv[c, 0] * w2,
                uv[a, 1] * w0 + uv[b, 1] * w1 + uv[c, 1] * w2,
                texture[face],
                texels,
                layout,
            )
            if share > least:
                blocked[i] = 1.0
    return blocked
