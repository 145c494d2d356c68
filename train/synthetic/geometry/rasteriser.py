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
TILE = 8
"""Side of the squares that hidden triangles are passed over by, px."""


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
def on_screen(seen: Floats, focal_px: float, centre: tuple[float, float]) -> Floats:
    """(V, 3) pixels x, y and 1 / depth of places (V, 3) in the camera's frame, cm; 0 instead of it nearer than 1 cm."""
    out = np.empty_like(seen)
    for i in range(seen.shape[0]):
        depth = np.float64(max(seen[i, 2], np.float32(1e-3)))
        out[i, 0], out[i, 1] = seen[i, 0] / depth * focal_px + centre[0], seen[i, 1] / depth * focal_px + centre[1]
        out[i, 2] = 1.0 / depth if depth >= 1.0 else 0.0
    return out


@compiled
def mean_cover(cover: Floats, faces: Indices) -> Floats:
    """(F,) mean opacity of the triangles' corners."""
    out = np.empty(faces.shape[0], np.float32)
    for face in range(faces.shape[0]):
        out[face] = (cover[faces[face, 0]] + cover[faces[face, 1]] + cover[faces[face, 2]]) / 3
    return out


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
def _narrowed(low, high, slope, level):  # type: ignore[no-untyped-def]
    """The part of a range in which slope · x ≥ level."""
    if slope > 1e-6:
        return max(low, level / slope), high
    if slope < -1e-6:
        return low, min(high, level / slope)
    return low, high


@compiled
def _pixels_round(x0, y0, x1, y1, x2, y2, width, height):  # type: ignore[no-untyped-def]
    """First and last column, first and last row of the picture's pixels round a triangle; none if a last is before."""
    left, right = max(int(np.ceil(min(x0, x1, x2))), 0), min(int(np.floor(max(x0, x1, x2))), width - 1)
    top, bottom = max(int(np.ceil(min(y0, y1, y2))), 0), min(int(np.floor(max(y0, y1, y2))), height - 1)
    return left, right, top, bottom


@compiled
def _find_farthest(inverse_depth, farthest):  # type: ignore[no-untyped-def]
    """Write the least 1 / depth of each square of TILE × TILE pixels, behind which nothing in it is seen."""
    farthest[:] = np.float32(1e30)
    for y in range(inverse_depth.shape[0]):
        for x in range(inverse_depth.shape[1]):
            farthest[y // TILE, x // TILE] = min(farthest[y // TILE, x // TILE], inverse_depth[y, x])


@compiled
def _rasterise(screen, faces, width, height, shown, cover, uv, texture, texels, layout):  # type: ignore[no-untyped-def]
    triangle = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    one, slack, spare = np.float32(1.0), np.float32(-1e-6), np.float32(0.01)
    farthest = np.zeros((height // TILE + 1, width // TILE + 1), np.float32)
    for turn in range(2):  # the opaque ones first, which hide many of the others
        if turn == 1:
            _find_farthest(inverse_depth, farthest)
        for face in range(faces.shape[0]):
            if not shown[face]:
                continue
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            opaque = texture[face] < 0 and cover[a] >= 1.0 and cover[b] >= 1.0 and cover[c] >= 1.0
            if opaque != (turn == 0):
                continue
            near0, near1, near2 = screen[a, 2], screen[b, 2], screen[c, 2]
            if near0 <= 0.0 or near1 <= 0.0 or near2 <= 0.0:
                continue  # a corner behind the camera
            x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
            left, right, top, bottom = _pixels_round(x0, y0, x1, y1, x2, y2, width, height)
            area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
            if left > right or top > bottom or abs(area) < 1e-9:
                continue
            if turn == 1:
                seen, nearest = False, max(near0, near1, near2)
                for row in range(top // TILE, bottom // TILE + 1):
                    for column in range(left // TILE, right // TILE + 1):
                        seen |= nearest > farthest[row, column]
                if not seen:
                    continue
            scale = one / area
            x10, y10, x20, y20 = (x1 - x0) * scale, (y1 - y0) * scale, (x2 - x0) * scale, (y2 - y0) * scale
            near10, near20 = near1 - near0, near2 - near0
            cover0, u0, v0 = cover[a], uv[a, 0], uv[a, 1]
            cover1, u1, v1 = cover[b] - cover0, uv[b, 0] - u0, uv[b, 1] - v0
            cover2, u2, v2 = cover[c] - cover0, uv[c, 0] - u0, uv[c, 1] - v0
            begin, end = np.float32(left) - x0, np.float32(right) - x0
            for y in range(top, bottom + 1):
                dy = np.float32(y) - y0
                low, high = _narrowed(begin, end, y20, x20 * dy)
                low, high = _narrowed(low, high, -y10, -x10 * dy)
                low, high = _narrowed(low, high, y10 - y20, (x10 - x20) * dy - one)
                first, last = int(np.ceil(x0 + low - spare)), int(np.floor(x0 + high + spare))
                for x in range(max(first, left), min(last, right) + 1):
                    dx = np.float32(x) - x0
                    l1, l2 = dx * y20 - x20 * dy, x10 * dy - dx * y10
                    if min(l1, l2, one - l1 - l2) < slack:
                        continue
                    near = near0 + l1 * near10 + l2 * near20
                    if near <= inverse_depth[y, x]:
                        continue
                    depth = one / near
                    w1, w2 = l1 * near1 * depth, l2 * near2 * depth
                    if not opaque:
                        share = opacity(
                            cover0 + w1 * cover1 + w2 * cover2,
                            u0 + w1 * u1 + w2 * u2,
                            v0 + w1 * v1 + w2 * v2,
                            texture[face],
                            texels,
                            layout,
                        )
                        if share <= 0.0 or (share < 1.0 and share <= keep_share(x, y, face // 2)):
                            continue
                    triangle[y, x] = face
                    weights[y, x, 0] = w1
                    weights[y, x, 1] = w2
                    inverse_depth[y, x] = near
    return triangle, weights, inverse_depth


@compiled
def depth_map(places: Floats, faces: Indices, side: int, one_sided: NDArray[np.bool_]) -> Floats:
    """(side, side) largest third coordinate of the triangles over each pixel, for light from far away.

    places: (V, 3) pixels x, y and the height towards the light, cm. one_sided: (F,) triangles that take part only where
    their corners run counter-clockwise as the light sees them. -1e9: none.
    """
    nearest = np.full((side, side), np.float32(-1e9), np.float32)
    cells = np.empty((places.shape[0], 2), np.int32)  # of pixels, between whose centres each vertex lies
    for i in range(places.shape[0]):
        cells[i, 0], cells[i, 1] = int(np.floor(places[i, 0])), int(np.floor(places[i, 1]))
    one, slack = np.float32(1.0), np.float32(-1e-6)
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        left, right = min(cells[a, 0], cells[b, 0], cells[c, 0]) + 1, max(cells[a, 0], cells[b, 0], cells[c, 0])
        top, bottom = min(cells[a, 1], cells[b, 1], cells[c, 1]) + 1, max(cells[a, 1], cells[b, 1], cells[c, 1])
        if (left > right) | (top > bottom):  # most triangles are smaller than a pixel
            continue
        x0, y0, x1, y1, x2, y2 = places[a, 0], places[a, 1], places[b, 0], places[b, 1], places[c, 0], places[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9 or (area < 0.0 and one_sided[face]):
            continue
        scale = one / area
        for y in range(max(top, 0), min(bottom, side - 1) + 1):
            dy = np.float32(y) - y0
            for x in range(max(left, 0), min(right, side - 1) + 1):
                dx = np.float32(x) - x0
                l1 = (dx * (y2 - y0) - (x2 - x0) * dy) * scale
                l2 = ((x1 - x0) * dy - dx * (y1 - y0)) * scale
                l0 = one - l1 - l2
                if min(l0, l1, l2) < slack:
                    continue
                height = l0 * places[a, 2] + l1 * places[b, 2] + l2 * places[c, 2]
                nearest[y, x] = max(nearest[y, x], height)
    return nearest


@compiled
def blend_layer(picture, colour, screen, faces, chosen, inverse_depth, cover, uv, texture, texels, layout):  # type: ignore[no-untyped-def]
    """Blend a colour (3,) over the picture (H, W, 3) with the opacity of all chosen triangles before it, one by one.

    chosen: (L,) triangle numbers of one thin layer, e.g. lashes. inverse_depth: (H, W) of the raster under it.
    """
    height, width = inverse_depth.shape
    for face in chosen:
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if screen[a, 2] <= 0.0 or screen[b, 2] <= 0.0 or screen[c, 2] <= 0.0:
            continue
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        left, right, top, bottom = _pixels_round(x0, y0, x1, y1, x2, y2, width, height)
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
                share = min(max(share, 0.0), 1.0)
                for channel in range(3):
                    picture[y, x, channel] += share * (colour[channel] - picture[y, x, channel])
