"""Where surfaces are shaded: once in a finished pixel that shows one smooth surface, on each side of an edge else."""

# V vertices, F triangles, H W drawn pixels, S samples, M materials

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Indices, Mesh
from startrack.train.synthetic.geometry.rasteriser import Raster

SMOOTH_UV = 0.04
"""Distance in the texture above which a seam, or the edge of a lock, runs between two drawn pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The places that are shaded."""

    number: Indices
    """(H, W) the sample that each drawn pixel shows, NONE without."""
    ends: Indices
    """(S, 4) row and column of the first and the last drawn pixel that shows it."""
    pixels: Indices
    """(S,) how many drawn pixels show it."""
    triangle: Indices
    """(S,) of the first one."""
    used: NDArray[np.bool_]
    """(V,) vertices of the triangles that are shown."""


def choose_samples(raster: Raster, mesh: Mesh, smooth_cm: Floats, factor: int) -> Samples:
    """The samples of a raster with factor² drawn pixels for each finished one.

    Drawn pixels of a finished one share a sample if they show one material, at places near each other in depth and in
    its texture. smooth_cm: (M,) that difference of depths for each material, 0 for one whose pixels share none.
    """
    arrays = (raster.triangle, raster.weights, raster.inverse_depth, mesh.faces, mesh.material, mesh.uv, smooth_cm)
    number, ends, pixels = _choose(*arrays, factor, np.float32(SMOOTH_UV))
    triangle = raster.triangle[ends[:, 0], ends[:, 1]]
    return Samples(number, ends, pixels, triangle, _used(raster.triangle, mesh.faces, len(mesh.vertices)))


def at_samples(values: Floats, mesh: Mesh, raster: Raster, ends: Indices) -> Floats:
    """(N, C) values (V, C) of the vertices at samples with ends (N, 4): the mean of their first and last pixels'."""
    result: Floats = _at_samples(values, mesh.faces, raster.triangle, raster.weights, ends)
    return result


def picture_of(samples: Samples, light: Floats, gain: float, background: Floats) -> Floats:
    """(H, W, 3) the samples' light (S, 3) times a gain at their pixels, and the background (H, W, 3) at the others."""
    result: Floats = _picture_of(samples.number, light, np.float32(gain), background)
    return result


@compiled
def _choose(triangle, weights, inverse_depth, faces, material, uv, smooth_cm, factor, smooth_uv):  # type: ignore[no-untyped-def]
    height, width = triangle.shape
    number = np.full((height, width), -1, np.int32)
    ends = np.empty((height * width, 4), np.int32)
    pixels = np.empty(height * width, np.int32)
    places = np.empty((factor * factor, 3), np.float32)  # u, v and 1 / depth of the samples of one finished pixel
    one, count = np.float32(1.0), 0
    for block in range(-(-height // factor) * -(-width // factor)):
        top, left = block // -(-width // factor) * factor, block % -(-width // factor) * factor
        begin = count
        for y in range(top, min(top + factor, height)):
            for x in range(left, min(left + factor, width)):
                face = triangle[y, x]
                if face < 0:
                    continue
                near, reach = inverse_depth[y, x], smooth_cm[material[face]]
                if x > left and triangle[y, x - 1] == face and reach > 0.0:  # most often
                    sample = number[y, x - 1]
                    number[y, x] = sample
                    ends[sample, 2], ends[sample, 3] = y, x
                    pixels[sample] += 1
                    continue
                a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
                w1, w2 = weights[y, x, 0], weights[y, x, 1]
                w0 = one - w1 - w2
                u, v = uv[a, 0] * w0 + uv[b, 0] * w1 + uv[c, 0] * w2, uv[a, 1] * w0 + uv[b, 1] * w1 + uv[c, 1] * w2
                for sample in range(begin, count + 1):
                    if sample == count:
                        ends[count, 0], ends[count, 1] = y, x
                        place = places[count - begin]
                        place[0], place[1], place[2] = u, v, near
                        pixels[count] = 0
                        count += 1
                        break
                    place = places[sample - begin]
                    if (
                        material[triangle[ends[sample, 0], ends[sample, 1]]] == material[face]
                        and abs(place[2] - near) < reach * near * near
                        and abs(place[0] - u) < smooth_uv
                        and abs(place[1] - v) < smooth_uv
                    ):
                        break
                number[y, x] = sample
                ends[sample, 2], ends[sample, 3] = y, x
                pixels[sample] += 1
    return number, ends[:count].copy(), pixels[:count].copy()


@compiled
def _used(triangle, faces, count):  # type: ignore[no-untyped-def]
    used = np.zeros(count, np.bool_)
    last = -1
    for y in range(triangle.shape[0]):
        for x in range(triangle.shape[1]):
            face = triangle[y, x]
            if face >= 0 and face != last:
                used[faces[face, 0]] = used[faces[face, 1]] = used[faces[face, 2]] = True
                last = face
    return used


@compiled
def _at_samples(values, faces, triangle, weights, ends):  # type: ignore[no-untyped-def]
    channels = values.shape[1]
    out = np.empty((ends.shape[0], channels), np.float32)
    half, one = np.float32(0.5), np.float32(1.0)
    for i in range(ends.shape[0]):
        y, x, z, t = ends[i, 0], ends[i, 1], ends[i, 2], ends[i, 3]
        face, other = triangle[y, x], triangle[z, t]
        w1, w2, v1, v2 = weights[y, x, 0], weights[y, x, 1], weights[z, t, 0], weights[z, t, 1]
        if face == other:
            w1, w2 = (w1 + v1) * half, (w2 + v2) * half
        w0, v0 = one - w1 - w2, one - v1 - v2
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        for channel in range(channels):
            out[i, channel] = values[a, channel] * w0 + values[b, channel] * w1 + values[c, channel] * w2
        if face != other:
            a, b, c = faces[other, 0], faces[other, 1], faces[other, 2]
            for channel in range(channels):
                value = values[a, channel] * v0 + values[b, channel] * v1 + values[c, channel] * v2
                out[i, channel] = (out[i, channel] + value) * half
    return out


@compiled
def _picture_of(number, light, gain, background):  # type: ignore[no-untyped-def]
    out = np.empty_like(background)
    for y in range(number.shape[0]):
        for x in range(number.shape[1]):
            sample = number[y, x]
            for channel in range(3):
                out[y, x, channel] = light[sample, channel] * gain if sample >= 0 else background[y, x, channel]
    return out
