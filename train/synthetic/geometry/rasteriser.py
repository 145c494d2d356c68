"""Z-buffer rasteriser: which triangle each pixel shows, depth maps for shadows, and layers blended over the picture."""

# V vertices, F triangles, H W pixels of the supersampled picture, N shown pixels

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Indices, Mesh

NONE = -1
"""Triangle number of a pixel that shows no triangle."""


@dataclass(frozen=True, slots=True, eq=False)
class Textures:
    """Opacity textures of a scene, laid out one behind the other."""

    texels: NDArray[np.uint8]
    """(T,) opacities, 0 to 255."""
    layout: NDArray[np.int64]
    """(M, 3) first texel, width and height of each texture."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What each pixel of the supersampled picture shows."""

    triangle: Indices
    """(H, W) number of the nearest triangle, NONE without."""
    weights: Floats
    """(H, W, 2) barycentric weights of its second and third corner, perspective-correct."""
    inverse_depth: Floats
    """(H, W) 1 / depth, 1/cm; 0 where nothing is shown."""


def lay_out(textures: list[NDArray[np.uint8]]) -> Textures:
    """The opacity textures, each (height, width), in one array."""
    sizes = [texture.size for texture in textures]
    starts = np.cumsum([0, *sizes])[: len(textures)]
    rows = [(start, t.shape[1], t.shape[0]) for start, t in zip(starts, textures, strict=True)]
    texels = np.concatenate([t.reshape(-1) for t in textures]) if textures else np.zeros(1, np.uint8)
    return Textures(texels, np.array(rows, np.int64).reshape(-1, 3))


def rasterise(
    screen: Floats, mesh: Mesh, size: tuple[int, int], textures: Textures, shown: NDArray[np.bool_]
) -> Raster:
    """The nearest opaque triangle of each pixel.

    screen: (V, 3) pixels x, y of the supersampled picture and 1 / depth. size: its width and height. shown: (F,) which
    triangles take part. A pixel's centre is at integers; a triangle's partly opaque pixels are kept at random by a hash
    of pixel and triangle, the same at every call.
    """
    width, height = size
    arrays = (mesh.cover, mesh.uv, mesh.texture, textures.texels, textures.layout)
    return Raster(*_rasterise(screen, mesh.faces, width, height, shown, *arrays))


@compiled
def faces_camera(screen: Floats, faces: Indices) -> NDArray[np.bool_]:
    """(F,) whether a triangle's outside, from which its corners run counter-clockwise, is on the camera's side."""
    out = np.empty(faces.shape[0], np.bool_)
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        across = (screen[b, 0] - screen[a, 0]) * (screen[c, 1] - screen[a, 1])
        out[face] = across - (screen[c, 0] - screen[a, 0]) * (screen[b, 1] - screen[a, 1]) < 0.0
    return out


@compiled
def opacity(corner_cover: float, u: float, v: float, texture: int, texels, layout) -> float:  # type: ignore[no-untyped-def]
    """Opacity at a place of a triangle, 1 is opaque: interpolated cover times the texture's texel."""
    if texture < 0:
        return corner_cover
    width, height = layout[texture, 1], layout[texture, 2]
    column = min(int((u - np.floor(u)) * width), width - 1)
    row = min(int((1.0 - (v - np.floor(v))) * height), height - 1)
    row = max(row, 0)
    result: float = min(max(corner_cover, 0.0), 1.0) * texels[layout[texture, 0] + row * width + column] / 255.0
    return result


@compiled
def keep_share(x: int, y: int, salt: int) -> float:
    """A number in [0, 1) that looks random, from a pixel and a salt."""
    mixed = np.uint32(x * 73856093) ^ np.uint32(y * 19349663) ^ np.uint32(salt * 83492791)
    mixed = np.uint32(mixed * np.uint32(2654435761))
    mixed ^= mixed >> np.uint32(13)
    mixed = np.uint32(mixed * np.uint32(1274126177))
    return float(np.uint32(mixed >> np.uint32(16)) & np.uint32(1023)) / 1024.0


@compiled
def _rasterise(screen, faces, width, height, shown, cover, uv, texture, texels, layout):  # type: ignore[no-untyped-def]
    triangle = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    for face in range(faces.shape[0]):
        if not shown[face]:
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if screen[a, 2] <= 0.0 or screen[b, 2] <= 0.0 or screen[c, 2] <= 0.0:
            continue  # a corner behind the camera
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        left, right = max(int(np.ceil(min(x0, x1, x2))), 0), min(int(np.floor(max(x0, x1, x2))), width - 1)
        top, bottom = max(int(np.ceil(min(y0, y1, y2))), 0), min(int(np.floor(max(y0, y1, y2))), height - 1)
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if left > right or top > bottom or abs(area) < 1e-9:
            continue
        scale = 1.0 / area
        near0, near1, near2 = screen[a, 2], screen[b, 2], screen[c, 2]
        opaque = texture[face] < 0 and cover[a] >= 1.0 and cover[b] >= 1.0 and cover[c] >= 1.0
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                l1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) * scale
                l2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) * scale
                l0 = 1.0 - l1 - l2
                if l0 < -1e-6 or l1 < -1e-6 or l2 < -1e-6:
                    continue
                near = l0 * near0 + l1 * near1 + l2 * near2
                if near <= inverse_depth[y, x]:
                    continue
                w1, w2 = l1 * near1 / near, l2 * near2 / near
                if not opaque:
                    w0 = 1.0 - w1 - w2
                    share = opacity(
                        cover[a] * w0 + cover[b] * w1 + cover[c] * w2,
                        uv[a, 0] * w0 + uv[b, 0] * w1 + uv[c, 0] * w2,
                        uv[a, 1] * w0 + uv[b, 1] * w1 + uv[c, 1] * w2,
                        texture[face],
                        texels,
                        layout,
                    )
                    if share <= keep_share(x, y, face // 2):
                        continue
                triangle[y, x] = face
                weights[y, x, 0] = w1
                weights[y, x, 1] = w2
                inverse_depth[y, x] = near
    return triangle, weights, inverse_depth


@compiled
def depth_map(places: NDArray[np.floating], faces: Indices, side: int, casts: NDArray[np.bool_]) -> Floats:
    """(side, side) largest third coordinate of the triangles over each pixel, for light from far away.

    places: (V, 3) pixels x, y and the height towards the light, cm. casts: (F,) which triangles take part. -1e9: none.
    """
    nearest = np.full((side, side), -1e9, np.float32)
    for face in range(faces.shape[0]):
        if not casts[face]:
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        x0, y0, x1, y1, x2, y2 = places[a, 0], places[a, 1], places[b, 0], places[b, 1], places[c, 0], places[c, 1]
        left, right = max(int(np.ceil(min(x0, x1, x2))), 0), min(int(np.floor(max(x0, x1, x2))), side - 1)
        top, bottom = max(int(np.ceil(min(y0, y1, y2))), 0), min(int(np.floor(max(y0, y1, y2))), side - 1)
        if left > right or top > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        scale = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                l1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) * scale
                l2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) * scale
                l0 = 1.0 - l1 - l2
                if l0 < -1e-6 or l1 < -1e-6 or l2 < -1e-6:
                    continue
                height = l0 * places[a, 2] + l1 * places[b, 2] + l2 * places[c, 2]
                nearest[y, x] = max(nearest[y, x], height)
    return nearest


@compiled
def interpolate(values: Floats, faces: Indices, triangle: Indices, weights: Floats) -> Floats:
    """(N, C) values at shown pixels. values: (V, C) at vertices. triangle: (N,). weights: (N, 2)."""
    out = np.empty((triangle.shape[0], values.shape[1]), np.float32)
    for pixel in range(triangle.shape[0]):
        a, b, c = faces[triangle[pixel], 0], faces[triangle[pixel], 1], faces[triangle[pixel], 2]
        w1, w2 = weights[pixel, 0], weights[pixel, 1]
        w0 = np.float32(1.0) - w1 - w2
        for channel in range(values.shape[1]):
            out[pixel, channel] = values[a, channel] * w0 + values[b, channel] * w1 + values[c, channel] * w2
    return out


@compiled
def layer_opacity(screen, faces, chosen, inverse_depth, cover, uv, texture, texels, layout):  # type: ignore[no-untyped-def]
    """(H, W) opacity of all chosen triangles that lie in front of the picture: 1 - Π(1 - opacity).

    chosen: (L,) triangle numbers of one thin layer, e.g. lashes. inverse_depth: (H, W) of the raster under it.
    """
    height, width = inverse_depth.shape
    clear = np.ones((height, width), np.float32)
    for face in chosen:
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if screen[a, 2] <= 0.0 or screen[b, 2] <= 0.0 or screen[c, 2] <= 0.0:
            continue
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        left, right = max(int(np.ceil(min(x0, x1, x2))), 0), min(int(np.floor(max(x0, x1, x2))), width - 1)
        top, bottom = max(int(np.ceil(min(y0, y1, y2))), 0), min(int(np.floor(max(y0, y1, y2))), height - 1)
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if left > right or top > bottom or abs(area) < 1e-9:
            continue
        scale = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                l1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) * scale
                l2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) * scale
                l0 = 1.0 - l1 - l2
                if l0 < -1e-6 or l1 < -1e-6 or l2 < -1e-6:
                    continue
                near = l0 * screen[a, 2] + l1 * screen[b, 2] + l2 * screen[c, 2]
                if near <= inverse_depth[y, x]:
                    continue
                share = opacity(
                    cover[a] * l0 + cover[b] * l1 + cover[c] * l2,
                    uv[a, 0] * l0 + uv[b, 0] * l1 + uv[c, 0] * l2,
                    uv[a, 1] * l0 + uv[b, 1] * l1 + uv[c, 1] * l2,
                    texture[face],
                    texels,
                    layout,
                )
                clear[y, x] *= 1.0 - min(max(share, 0.0), 1.0)
    return 1.0 - clear
