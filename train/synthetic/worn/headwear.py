"""Headwear: beanies, caps, hats, headbands, helmets, turbans, hoods and hijabs, wrapped round the skull."""

# V head vertices, R rows and C columns of a dome

from __future__ import annotations

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats, Mesh, grid_faces, make_mesh
from startrack.train.synthetic.geometry.noise import bump, salt_of, smooth_step, value_noise
from startrack.train.synthetic.surface.material import Plain
from startrack.train.synthetic.worn.clothes import draw_cloth
from startrack.train.synthetic.worn.wearer import Wearer

SHARE = 0.16
KINDS = ("beanie", "cap", "hat", "headband", "helmet", "turban", "hood", "hijab")
SHARES = (0.2, 0.2, 0.14, 0.08, 0.06, 0.08, 0.08, 0.16)
CENTRE_CM = np.array([0.0, 3.0, 0.0], np.float32)
ROWS, COLUMNS = 30, 56


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Cover some heads; the kind, empty without."""
    if rng.random() > SHARE:
        return ""
    kind = str(rng.choice(KINDS, p=np.array(SHARES)))
    if kind == "hijab" and not wearer.identity.female:
        kind = "turban"
    material = wearer.parts.material(_shiny(rng) if kind == "helmet" else draw_cloth(rng))
    directions, surface = _wrapped(wearer)
    match kind:
        case "hijab" | "hood":
            wearer.parts.add(_veil(directions, surface, material, kind, rng), _drape(surface, material, rng))
        case "headband":
            wearer.parts.add(_band(directions, surface, material, rng))
        case _:
            height, front = _edge(surface, kind, rng)
            wearer.parts.add(_crown(directions, surface, height, material, kind, rng))
            if kind == "cap":
                wearer.parts.add(_visor(wearer, front, material, rng))
            if kind == "hat":
                wearer.parts.add(_brim(wearer, front, material, rng))
    return kind


def _shiny(rng: np.random.Generator) -> Plain:
    r, g, b = (float(v) for v in np.exp(rng.uniform(-3.5, -0.3) + rng.normal(0, 0.6, 3)).clip(0.01, 0.8))
    return Plain((r, g, b), roughness=0.25, gloss=1.5)


def _wrapped(wearer: Wearer) -> tuple[Floats, Floats]:
    """(R, C, 3) directions from the skull's middle, and where a cloth drawn tight over the head lies in each, cm.

    Rows go from the top down, columns from the subject's left over the front. A tight cloth lies on the head's convex
    hull, whose distance is bounded by its support function.
    """
    polar = np.linspace(0.02, 0.86 * np.pi, ROWS)[:, None]
    around = np.arange(COLUMNS)[None] / COLUMNS * 2 * np.pi
    x, y, z = np.sin(polar) * np.cos(around), np.cos(polar) + 0 * around, np.sin(polar) * np.sin(around)
    directions = np.stack([x, y, z], -1).astype(np.float32)
    neutral = wearer.studio.head.neutral
    skin = wearer.base[: wearer.studio.head.number[11247] : 2]
    skin = skin[neutral[: wearer.studio.head.number[11247] : 2, 1] > -9.0] - CENTRE_CM
    reach = np.stack([(row @ skin.T).max(1) for row in directions])[..., None]  # row by row: that fits into the cache
    # the pedal surface of the support function lies a little outside the hull; sideways neighbours pull it in
    reach = np.minimum(reach, 0.5 * (np.roll(reach, 3, 1) + np.roll(reach, -3, 1)) + 0.5)
    return directions, (CENTRE_CM + directions * reach * 0.985).astype(np.float32)


def _edge(surface: Floats, kind: str, rng: np.random.Generator) -> tuple[Floats, float]:
    """(R, C) height above the edge that runs from the forehead to the neck, and its height in front, cm."""
    front = float(rng.uniform(7.4, 9.2))
    back = float(rng.uniform(-1.5, 3.0) if kind in ("beanie", "turban", "helmet") else rng.uniform(2.0, 4.0))
    line = back + (front - back) * (surface[..., 2] + 8.5) / 18.5
    sides = float(rng.uniform(0.5, 2.0)) * bump(surface[..., 2], 0.5, 4.0)
    return surface[..., 1] - line + sides * (kind != "beanie"), front


def _grid(vertices: Floats, material: int, cover: Floats) -> Mesh:
    faces = grid_faces(ROWS, COLUMNS, closed=True)
    return make_mesh(vertices.reshape(-1, 3), faces, material, cover=cover.reshape(-1))


def _crown(
    directions: Floats, surface: Floats, height: Floats, material: int, kind: str, rng: np.random.Generator
) -> Mesh:
    """What covers the skull above the edge."""
    thick = {"beanie": 0.7, "cap": 0.9, "hat": 0.9, "helmet": 2.0, "turban": 1.6}[kind] + float(rng.uniform(0, 0.4))
    out = np.full(height.shape, thick, np.float32)
    if kind == "beanie":
        out = out + 0.35 * bump(height, 1.6, 1.5) * (rng.random() < 0.7)
        out = out + 0.8 * smooth_step(6, 12, height) * float(rng.random())
    elif kind == "turban":
        slant = height + 0.6 * surface[..., 0] * float(rng.choice([-1, 1]))
        out = out + 0.9 * np.abs(np.sin(slant * float(rng.uniform(0.7, 1.3)))) + 0.8 * bump(height, 3, 4)
    noise = value_noise(np.ascontiguousarray((surface / 2.5).reshape(-1, 3)), salt_of(rng)).reshape(height.shape)
    out = out + 0.2 * np.clip(noise, 0, 1) * (kind != "helmet")
    vertices = surface + directions * out[..., None]
    if kind == "hat":
        rise = float(rng.uniform(1.5, 5.0))
        vertices[..., 1] += rise * smooth_step(0.0, 3.5, height)
        flat = np.minimum(vertices[..., 1], vertices[..., 1].max() - float(rng.uniform(0.0, 2.5)))
        vertices[..., 1] = flat
    return _grid(vertices, material, height * 6)


def _band(directions: Floats, surface: Floats, material: int, rng: np.random.Generator) -> Mesh:
    height, _ = _edge(surface, "beanie", rng)
    wide = float(rng.uniform(2.0, 6.0))
    return _grid(surface + 0.6 * directions, material, np.minimum(height, wide - height) * 6)


def _veil(directions: Floats, surface: Floats, material: int, kind: str, rng: np.random.Generator) -> Mesh:
    """Cloth all round the head but for the face."""
    loose = float(rng.uniform(0.5, 1.1) if kind == "hijab" else rng.uniform(1.5, 2.8))
    half = (float(rng.uniform(5.6, 6.9)), float(rng.uniform(8.2, 9.6))) if kind == "hijab" else (8.3, 11.0)
    opening = np.hypot(surface[..., 0] / half[0], (surface[..., 1] - 0.7) / half[1]) - 1
    opening = np.where(surface[..., 2] > 0, opening, 1.0)
    fold = value_noise(np.ascontiguousarray((surface / np.float32(2.2)).reshape(-1, 3)), salt_of(rng))
    out = loose + 0.5 * np.clip(fold.reshape(opening.shape), -0.5, 1) * smooth_step(0, 0.3, opening)
    out = out + 0.3 * bump(opening, 0.05, 0.1)
    # below the chin the cloth hangs instead of following the throat
    hanging = smooth_step(-4.0, -9.0, surface[..., 1])[..., None]
    vertices = surface + directions * out[..., None] * (1 - 0.5 * hanging)
    return _grid(vertices, material, opening * 30)


def _drape(surface: Floats, material: int, rng: np.random.Generator) -> Mesh:
    """Cloth from under the chin over the shoulders."""
    rows, columns = 14, COLUMNS
    around = np.arange(columns) / columns * 2 * np.pi
    share = np.linspace(0, 1, rows)[:, None]
    width, depth = 6.4 + 12.5 * share**1.3, 6.9 + 6.0 * share**1.1
    height = -6.8 - 12.5 * share - 1.8 * share * np.abs(np.cos(around))
    forward = 1.4 * (1 - share) - 2.2 * share
    x, z = np.cos(around) * width, np.sin(around) * depth + forward
    vertices = np.stack([x, height + 0 * around, z], -1).reshape(-1, 3)
    places = (vertices / np.array([2.0, 5.0, 2.0])).astype(np.float32)
    fold = value_noise(places, salt_of(rng)) + 0.5 * value_noise(places * 2, salt_of(rng))
    outwards = vertices * np.array([1, 0, 1])
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    vertices = vertices + outwards * (0.8 * fold)[:, None]
    return make_mesh(vertices, grid_faces(rows, columns, closed=True), material)


def _visor(wearer: Wearer, front: float, material: int, rng: np.random.Generator) -> Mesh:
    """A cap's peak."""
    rows, columns = 8, 21
    across = np.linspace(-1, 1, columns)[None]
    share = np.linspace(0, 1, rows)[:, None]
    forehead = wearer.base[wearer.studio.head.neutral[:, 1] > 6.5, 2].max() + 0.6
    length, half = float(rng.uniform(5.5, 7.5)), float(rng.uniform(6.0, 7.2))
    root = forehead - 0.55 * half * across**2
    x = across * half * (1 - 0.18 * share * across**2) + 0 * share
    z = root + share * length * np.sqrt(np.clip(1 - 0.75 * across**2, 0, 1))
    y = front + 0.3 - 1.7 * across**2 - float(rng.uniform(0.1, 0.4)) * share * length + 0 * across
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    faces = grid_faces(rows, columns)
    under = vertices - np.array([0, 0.25, 0])
    both = np.concatenate([vertices, under])
    return make_mesh(both, np.concatenate([faces, faces + len(vertices)]), material)


def _brim(wearer: Wearer, front: float, material: int, rng: np.random.Generator) -> Mesh:
    """A ring round a hat's foot."""
    rows = 8
    around = np.arange(COLUMNS) / COLUMNS * 2 * np.pi
    share = np.linspace(0, 1, rows)[:, None]
    skull = wearer.base[wearer.studio.head.neutral[:, 1] > 6.0]
    half = (np.abs(skull[:, 0]).max() + 0.6, (skull[:, 2].max() - skull[:, 2].min()) / 2 + 0.6)
    wide = float(rng.uniform(3.5, 8.0))
    x = np.cos(around) * (half[0] + wide * share)
    z = np.sin(around) * (half[1] + wide * share) + (skull[:, 2].max() + skull[:, 2].min()) / 2
    curl = float(rng.uniform(-0.3, 0.35))
    tilt = (front - 4.0) / 18.0
    y = front - 2.3 + tilt * z * 0.6 + curl * wide * share**2 * (0.4 + 0.6 * np.abs(np.cos(around)))
    return make_mesh(np.stack([x, y, z], -1).reshape(-1, 3), grid_faces(rows, COLUMNS, closed=True), material)
