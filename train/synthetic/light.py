"""Light: environments photographed or made by program, the lights drawn from them, shadows, and what surfaces send."""

# K lights, V vertices, F triangles, N shown pixels

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Mesh
from startrack.train.synthetic.geometry.rasteriser import depth_map
from startrack.train.synthetic.surface.material import Look

NUM_LIGHTS = 12
SHADOW_SIDE = 96
"""Pixels of a shadow map's side."""
SHADOW_REACH_CM = 26.0
"""Half the side of a shadow map's region."""
SHADOW_BIAS_CM = 0.55
AMBIENT = 0.03
"""Share of the light that reaches every place, for what bounces about."""
SKY_SIZE = (128, 64)


@dataclass(frozen=True, slots=True, eq=False)
class Lights:
    """Far lights in place of an environment."""

    directions: Floats
    """(K, 3) unit vectors towards them in the world's frame."""
    colours: Floats
    """(K, 3) linear RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """Radiance from every direction."""

    radiance: Floats
    """(H, W, 3) latitude from the top, longitude from behind the camera's left."""


def draw_environment(photographed: tuple[Floats, ...], rng: np.random.Generator) -> Environment:
    """A photographed environment, or one made by program, turned at random, with further lamps in a third of them."""
    if photographed and rng.random() < 0.8:
        radiance = photographed[int(rng.integers(len(photographed)))].copy()
    else:
        radiance = _made_environment(rng)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 3))):
            tint = np.exp(rng.normal(0, 0.15, 3))
            radiance += _lamp(rng) * np.float32(rng.uniform(2, 25) * radiance.mean()) * tint.astype(np.float32)
    radiance = np.minimum(radiance, float(rng.choice([30, 300, 3000])) * radiance.mean())
    return Environment(np.roll(radiance, int(rng.integers(radiance.shape[1])), 1))


def _made_environment(rng: np.random.Generator) -> Floats:
    """Outdoors: a sky, a ground and a sun; indoors: walls, a ceiling and windows or lamps."""
    width, height = SKY_SIZE
    up = np.cos((np.arange(height) + 0.5) / height * np.pi)[:, None, None]
    if rng.random() < 0.5:
        zenith = np.array([0.25, 0.45, 1.0]) * rng.uniform(0.3, 1.2)
        horizon = np.array([0.9, 0.9, 1.0]) * rng.uniform(0.4, 1.2)
        ground = np.exp(rng.uniform(-2.5, -0.7) + rng.normal(0, 0.2, 3))
        sky = horizon + (zenith - horizon) * np.clip(up, 0, 1) ** 0.5
        radiance = np.repeat(np.where(up > 0, sky, ground), width, 1).astype(np.float32)
        sun = _lamp(rng, (0.8, 3.0)) * np.float32(rng.uniform(0, 150))
        return radiance + sun * np.array([1.0, 0.9, 0.75], np.float32)
    wall = np.exp(rng.uniform(-2.5, -0.5) + rng.normal(0, 0.2, 3))
    radiance = np.repeat(np.repeat(wall[None, None] * (1 + 0.4 * up), width, 1), 1, 0).astype(np.float32)
    for _ in range(int(rng.integers(1, 5))):
        tint = np.exp(rng.normal(0, 0.25, 3)).astype(np.float32)
        radiance = radiance + _lamp(rng, (2.0, 9.0)) * np.float32(rng.uniform(3, 30)) * tint
    return radiance


def _lamp(rng: np.random.Generator, reach: tuple[float, float] = (2.0, 9.0)) -> Floats:
    """(H, W, 1) a soft spot above the horizon, 1 at its centre."""
    width, height = SKY_SIZE
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    row, column, spread = rng.uniform(0.12, 0.58) * height, rng.uniform(0, width), rng.uniform(*reach)
    across = np.abs(columns - column)
    across = np.minimum(across, width - across)
    spot: Floats = np.exp(-((rows - row) ** 2 + across**2) / (2 * spread**2))[..., None].astype(np.float32)
    return spot


def lights_of(environment: Environment, rng: np.random.Generator) -> Lights:
    """NUM_LIGHTS lights of equal power at places drawn by brightness, their mean colour near white."""
    radiance = environment.radiance
    height, width = radiance.shape[:2]
    polar = (np.arange(height) + 0.5) / height * np.pi
    solid = (np.pi / height) * (2 * np.pi / width) * np.sin(polar)[:, None]
    power = (radiance.mean(2) * solid).ravel().astype(np.float64)
    total = power.sum()
    drawn = (np.arange(NUM_LIGHTS) + rng.random(NUM_LIGHTS)) / NUM_LIGHTS
    chosen = np.minimum(np.searchsorted(np.cumsum(power) / total, drawn), power.size - 1)
    theta, phi = polar[chosen // width], (chosen % width + 0.5) / width * 2 * np.pi
    directions = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], 1)
    colours = radiance.reshape(-1, 3)[chosen]
    colours = colours / np.maximum(colours.mean(1, keepdims=True), 1e-6) * (total / NUM_LIGHTS)
    colours = colours / (colours.mean(0) / colours.mean()) ** rng.uniform(0.6, 1.0)  # the camera's white balance
    grey = colours.mean(1, keepdims=True)
    colours = grey + (colours - grey) * rng.uniform(0.35, 0.9)
    return Lights(directions.astype(np.float32), np.maximum(colours, 0).astype(np.float32))


def shadows(
    mesh: Mesh,
    lights: Lights,
    casts: NDArray[np.bool_],
    closed: NDArray[np.bool_],
    used: NDArray[np.bool_],
    centre: Floats,
) -> Floats:
    """(V, K) share of each light that reaches each vertex, by a depth map from the light's side.

    casts: (F,) which triangles throw shadows. closed: (F,) which of them belong to a closed surface, of which the side
    towards the light is enough. used: (V,) which vertices are asked for; the others get 0. centre: (3,) of the maps'
    region, cm in the world's frame.
    """
    frames = _frames(lights.directions, SHADOW_SIDE / (2 * SHADOW_REACH_CM))
    reached = np.zeros((len(mesh.vertices), len(frames)), np.float32)
    asked = np.flatnonzero(used)
    away, faces, one_sided = mesh.vertices - centre, mesh.faces[casts], closed[casts]
    for light, frame in enumerate(frames):
        places = _from_light(away, frame, np.float32(SHADOW_SIDE / 2))
        nearest = depth_map(places, faces, SHADOW_SIDE, one_sided)
        _add_reached(reached, light, nearest, places, asked, np.float32(SHADOW_BIAS_CM))
    return reached


def _frames(directions: Floats, scale: float) -> Floats:
    """(K, 3, 3) for each direction two axes across it, times a scale, and the direction; right-handed."""
    x, y, z = directions.astype(np.float64).T
    none, steep = np.zeros_like(x), np.abs(y) >= 0.9
    side = np.where(steep[:, None], np.stack([none, -z, y], 1), np.stack([z, none, -x], 1))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(directions, side)
    return np.stack([side * scale, other * scale, directions], 1).astype(np.float32)


@compiled
def _from_light(away, frame, middle):  # type: ignore[no-untyped-def]
    """(V, 3) map pixels and height towards the light of places about the map's centre."""
    out = np.empty_like(away)
    for i in range(away.shape[0]):
        x, y, z = away[i, 0], away[i, 1], away[i, 2]
        out[i, 0] = frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z + middle
        out[i, 1] = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z + middle
        out[i, 2] = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z
    return out


@compiled
def _add_reached(reached, light, nearest, places, asked, bias):  # type: ignore[no-untyped-def]
    """Write a light's column for some of the places: the share of the four map pixels around each that hold nothing
    nearer to the light, weighted by distance."""
    side = nearest.shape[0]
    last = np.float32(side - 1.001)
    for i in asked:
        x, y = min(max(places[i, 0], np.float32(0.0)), last), min(max(places[i, 1], np.float32(0.0)), last)
        column, row = int(x), int(y)
        fx, fy = x - np.float32(column), y - np.float32(row)
        height = places[i, 2] + bias
        total = np.float32(0.0)
        if height >= nearest[row, column]:
            total += (1 - fx) * (1 - fy)
        if height >= nearest[row, column + 1]:
            total += fx * (1 - fy)
        if height >= nearest[row + 1, column]:
            total += (1 - fx) * fy
        if height >= nearest[row + 1, column + 1]:
            total += fx * fy
        reached[i, light] = total


def shaded(look: Look, view: Floats, lights: Lights, reached: Floats) -> Floats:
    """(N, 3) linear light that pixels send to the camera.

    view: (N, 3) unit directions to it. lights: in the camera's frame, like the look's normals. reached: (N, K).
    """
    wrap = np.array(look.wrap, np.float32)
    arrays = (look.albedo, look.normal, look.roughness.astype(np.float32), look.gloss.astype(np.float32), wrap)
    towards = np.ascontiguousarray(lights.directions.T), np.ascontiguousarray(lights.colours.T)
    result: Floats = _shaded(*arrays, np.ascontiguousarray(view, np.float32), *towards, reached)
    return result


@compiled
def _shaded(albedo, normal, roughness, gloss, wrap, view, directions, colours, reached):  # type: ignore[no-untyped-def]
    """Lambert with light that wraps around the edge of the shade, and GGX (Walter et al., EGSR 2007) on top.

    directions, colours: (3, K). The loops over lights have no branches: the compiler takes eight at once.
    """
    lights = directions.shape[1]
    out = np.empty((albedo.shape[0], 3), np.float32)
    none, one = np.float32(0.0), np.float32(1.0)
    ambient = np.empty(3, np.float32)
    for channel in range(3):
        ambient[channel] = AMBIENT / (4 * np.pi) * colours[channel].sum()
    wrap_r, wrap_g, wrap_b = wrap[0], wrap[1], wrap[2]
    norm_r, norm_g, norm_b = (
        np.float32(1 / np.pi) / (one + wrap_r) ** 2,
        np.float32(1 / np.pi) / (one + wrap_g) ** 2,
        np.float32(1 / np.pi) / (one + wrap_b) ** 2,
    )
    base, most, least = np.float32(0.028), np.float32(8.0), np.float32(1e-9)
    for i in range(albedo.shape[0]):
        nx, ny, nz = normal[i, 0], normal[i, 1], normal[i, 2]
        red = green = blue = none
        for k in range(lights):
            incidence = nx * directions[0, k] + ny * directions[1, k] + nz * directions[2, k]
            red += reached[i, k] * colours[0, k] * max(incidence + wrap_r, none)
            green += reached[i, k] * colours[1, k] * max(incidence + wrap_g, none)
            blue += reached[i, k] * colours[2, k] * max(incidence + wrap_b, none)
        mirror_r = mirror_g = mirror_b = none
        if gloss[i] >= np.float32(0.02):
            vx, vy, vz = view[i, 0], view[i, 1], view[i, 2]
            facing = nx * vx + ny * vy + nz * vz
            facing = max(facing, np.float32(0.05))  # a normal that is smoothed over an edge may look away
            alpha2 = roughness[i] * roughness[i] * roughness[i] * roughness[i]
            half = roughness[i] * roughness[i] * np.float32(0.5)
            hidden_view = (facing * (one - half) + half) * np.float32(4.0)
            for k in range(lights):
                lx, ly, lz = directions[0, k], directions[1, k], directions[2, k]
                incidence = max(nx * lx + ny * ly + nz * lz, none)
                hx, hy, hz = lx + vx, ly + vy, lz + vz
                scale = one / np.sqrt(hx * hx + hy * hy + hz * hz + least)
                nh, grazing = (nx * hx + ny * hy + nz * hz) * scale, one - (vx * hx + vy * hy + vz * hz) * scale
                spread = nh * nh * (alpha2 - one) + one
                square = grazing * grazing
                fresnel = base + (one - base) * square * square * grazing
                hidden = hidden_view * (incidence * (one - half) + half)
                amount = alpha2 * fresnel * incidence / ((np.float32(np.pi) * spread * spread + least) * hidden)
                amount = min(amount, most) * reached[i, k]
                mirror_r += amount * colours[0, k]
                mirror_g += amount * colours[1, k]
                mirror_b += amount * colours[2, k]
        out[i, 0] = albedo[i, 0] * (ambient[0] + red * norm_r) + gloss[i] * mirror_r
        out[i, 1] = albedo[i, 1] * (ambient[1] + green * norm_g) + gloss[i] * mirror_g
        out[i, 2] = albedo[i, 2] * (ambient[2] + blue * norm_b) + gloss[i] * mirror_b
    return out


def background_of(environment: Environment, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """(H, W, 3) linear: what lies behind the head, a piece of the environment around -z."""
    radiance = np.roll(environment.radiance, environment.radiance.shape[1] // 2, 1)
    height, width = radiance.shape[:2]
    across = max(int(width * rng.uniform(0.15, 0.4)), 4)
    half, middle = across // 2, height // 2 + int(rng.integers(-6, 7))
    top = int(np.clip(middle - half, 0, height - 4))
    piece = radiance[top : middle + half, width // 2 - half : width // 2 + half]
    return np.maximum(cv2.resize(piece, size, interpolation=cv2.INTER_CUBIC), 0).astype(np.float32)
