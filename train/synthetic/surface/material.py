"""Materials: from places on a surface to colour, gloss and the normal that light sees."""

# N shown pixels

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, unit
from startrack.train.synthetic.geometry.noise import smooth_step, value_noise, vector_noise

STRIPE_EDGE_CM = 0.06
"""Half the width over which one colour of a cloth passes into another: about half a pixel of a usual portrait."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The pixels that show one material."""

    rest: Floats
    """(N, 3) place on the mean head or in the thing's own frame, cm."""
    uv: Floats
    """(N, 2)."""
    position: Floats
    """(N, 3) in the camera's frame, cm."""
    normal: Floats
    """(N, 3) unit length, towards the camera's side, in the camera's frame."""
    axes: Floats
    """(3, 3) the head's x, y and z axis in the camera's frame, one a row."""

    @property
    def view(self) -> Floats:
        """(N, 3) unit directions to the camera."""
        return unit(-self.position)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How the pixels of a material answer light."""

    albedo: Floats
    """(N, 3) linear RGB, 0 to 1."""
    normal: Floats
    """(N, 3) unit length."""
    roughness: Floats
    """(N,) GGX's alpha is its square."""
    gloss: Floats
    """(N,) factor of the mirrored light."""
    wrap: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far red, green and blue light runs round into the shade below the surface, as a cosine."""


class Material(Protocol):
    """A material of a scene."""

    def look(self, surface: Surface) -> Look:
        """How the surface's pixels answer light."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """One colour with mottles: cloth, plastic, metal, teeth."""

    colour: tuple[float, float, float]
    """Linear RGB."""
    roughness: float = 0.5
    gloss: float = 0.5
    mottle: float = 0.0
    """Relative strength of darker and lighter spots."""
    mottle_cm: float = 0.5
    bumps: float = 0.0
    """Strength of a rough surface's normals."""
    bump_cm: float = 0.1
    stripes: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))
    """Second colour of a weave or pattern; black: none."""
    stripe_cm: float = 1.0
    salt: int = 0

    def look(self, surface: Surface) -> Look:
        """Mottled colour; Material.look."""
        count = len(surface.rest)
        albedo = np.broadcast_to(np.array(self.colour, np.float32), (count, 3)).copy()
        if any(self.stripes):
            share = pattern(surface.rest / self.stripe_cm, self.salt, STRIPE_EDGE_CM / self.stripe_cm)[:, None]
            albedo = albedo * (1 - share) + np.array(self.stripes, np.float32) * share
        if self.mottle:
            albedo *= np.exp(self.mottle * value_noise(surface.rest / self.mottle_cm, self.salt))[:, None]
        normal = surface.normal
        if self.bumps:
            normal = tilted(normal, self.bumps * vector_noise(surface.rest / self.bump_cm, self.salt + 1))
        return Look(albedo, normal, filled(count, self.roughness), filled(count, self.gloss))


def pattern(places: Floats, salt: int, soft: float) -> Floats:
    """(N,) 0 to 1: stripes, checks or blots of about one unit, chosen by the salt. soft: half the width of their edges,
    units."""
    kind = salt % 4
    if kind == 0:
        return _stripes(places[:, 1], 2.0, soft)
    if kind == 1:
        first, second = _stripes(places[:, 0], 2.0, soft), _stripes(places[:, 1], 2.0, soft)
        return first + second - 2 * first * second
    if kind == 2:
        return smooth_step(0.25 - 1.5 * soft, 0.25 + 1.5 * soft, value_noise(places, salt))
    return _stripes(places[:, 0] + 1, 3.0, soft)


def _stripes(across: Floats, period: float, soft: float) -> Floats:
    """(N,) 1 on stripes one unit wide, of which one lies from 1 to 2."""
    away = np.abs((across - 1.5 + period / 2) % period - period / 2)
    return smooth_step(0.5 + soft, 0.5 - soft, away)


def filled(count: int, value: float) -> Floats:
    """(N,) of one value."""
    return np.full(count, value, np.float32)


def tilted(normal: Floats, gradient: Floats) -> Floats:
    """(N, 3) unit normals turned against a height's gradient (N, 3); only its part along the surface counts."""
    return _tilted(normal, np.ascontiguousarray(gradient, np.float32))


@compiled
def _tilted(normal: Floats, gradient: Floats) -> Floats:
    out = np.empty_like(normal)
    for i in range(normal.shape[0]):
        nx, ny, nz = normal[i, 0], normal[i, 1], normal[i, 2]
        gx, gy, gz = gradient[i, 0], gradient[i, 1], gradient[i, 2]
        along = nx * gx + ny * gy + nz * gz
        x, y, z = nx - gx + along * nx, ny - gy + along * ny, nz - gz + along * nz
        scale = 1.0 / np.sqrt(x * x + y * y + z * z + 1e-18)
        out[i, 0], out[i, 1], out[i, 2] = x * scale, y * scale, z * scale
    return out


@compiled
def towards(normal: Floats, position: Floats) -> Floats:
    """(N, 3) normals turned to the camera's side, for surfaces seen from both sides. position: (N, 3) in its frame."""
    out = normal.copy()
    for i in range(normal.shape[0]):
        if normal[i, 0] * position[i, 0] + normal[i, 1] * position[i, 1] + normal[i, 2] * position[i, 2] > 0.0:
            out[i, 0], out[i, 1], out[i, 2] = -normal[i, 0], -normal[i, 1], -normal[i, 2]
    return out


@compiled
def mixed(albedo: Floats, colour: Floats, share: Floats) -> Floats:
    """(N, 3) an albedo (N, 3) and a share (N,) of a colour (3,) over it."""
    out = np.empty_like(albedo)
    for i in range(albedo.shape[0]):
        for channel in range(3):
            out[i, channel] = albedo[i, channel] + share[i] * (colour[channel] - albedo[i, channel])
    return out


@compiled
def tinted(albedo: Floats, factor: Floats, share: Floats) -> Floats:
    """(N, 3) an albedo (N, 3), a share (N,) of it times a factor (3,)."""
    out = np.empty_like(albedo)
    for i in range(albedo.shape[0]):
        for channel in range(3):
            out[i, channel] = albedo[i, channel] * (1 + share[i] * (factor[channel] - 1))
    return out


def linear(srgb: NDArray[np.floating]) -> Floats:
    """sRGB 0..1 → linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: NDArray[np.floating]) -> Floats:
    """Linear light → sRGB 0..1, the inverse of linear."""
    small = light * 12.92
    return np.where(light <= 0.0031308, small, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055).astype(np.float32)


LINEAR_OF_BYTE = linear(np.arange(256) / 255.0)


@compiled
def sample_texture(texture: NDArray[np.uint8], uv: Floats, table: Floats) -> Floats:
    """(N, 3) a picture (H, W, 3) at texture coordinates (N, 2), its bytes mapped by a table (256,), bilinear."""
    height, width = texture.shape[0], texture.shape[1]
    out = np.empty((uv.shape[0], 3), np.float32)
    for i in range(uv.shape[0]):
        x = min(max(uv[i, 0] * width - 0.5, 0.0), width - 1.001)
        y = min(max((1.0 - uv[i, 1]) * height - 0.5, 0.0), height - 1.001)
        column, row = int(x), int(y)
        fx, fy = x - column, y - row
        for channel in range(3):
            upper = table[texture[row, column, channel]] * (1 - fx) + table[texture[row, column + 1, channel]] * fx
            lower = (
                table[texture[row + 1, column, channel]] * (1 - fx) + table[texture[row + 1, column + 1, channel]] * fx
            )
            out[i, channel] = upper * (1 - fy) + lower * fy
    return out
