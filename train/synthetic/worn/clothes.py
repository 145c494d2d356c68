"""Clothes: shoulders under cloth with folds, and collars round the neck."""

# V head vertices

from __future__ import annotations

from dataclasses import replace

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats, Mesh, grid_faces, make_mesh, tube
from startrack.train.synthetic.geometry.noise import bump, salt_of, smooth_step, value_noise
from startrack.train.synthetic.head.head_model import SKIN
from startrack.train.synthetic.parts import make_shell
from startrack.train.synthetic.pose import SHOULDER_SHARE, stiffness
from startrack.train.synthetic.surface.material import Plain
from startrack.train.synthetic.worn.wearer import Wearer

KINDS = ("crew", "v neck", "turtleneck", "shirt", "hoodie", "scarf", "bare")
SHARES = (0.28, 0.16, 0.1, 0.2, 0.1, 0.08, 0.08)
NECK_AXIS_CM = np.array([0.0, 0.0, -2.5], np.float32)
# half width, half depth and height of the rings of cloth from the collar down to the chest, cm
TORSO = ((8.6, 7.6, -13.6), (12.2, 9.0, -15.0), (16.5, 10.0, -16.6), (19.5, 10.8, -18.6), (21.0, 11.3, -23.0),
         (21.5, 11.5, -32.0), (21.5, 11.5, -45.0))  # fmt: skip


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Dress the shoulders; the kind of collar."""
    kind = str(rng.choice(KINDS, p=np.array(SHARES)))
    material = _skin_like(wearer) if kind == "bare" else draw_cloth(rng)
    number = wearer.parts.material(material)
    _add_torso(wearer, number, folds=0.0 if kind == "bare" else float(rng.uniform(0.15, 0.7)), rng=rng)
    if kind == "bare":
        return ""
    _add_collar_shell(wearer, kind, number, rng)
    neck = _neck_ring(wearer)
    if kind == "shirt":
        wearer.parts.add(_shirt_collar(neck, number, rng))
    elif kind == "hoodie":
        _add_rolls(wearer, neck, number, rng, thick=float(rng.uniform(1.6, 2.6)), low=1.2, count=1)
    elif kind == "scarf":
        scarf = wearer.parts.material(draw_cloth(rng))
        _add_rolls(wearer, neck, scarf, rng, thick=float(rng.uniform(1.3, 2.2)), low=-0.8, count=3)
    return kind


def draw_cloth(rng: np.random.Generator) -> Plain:
    """A cloth of one colour, or with a pattern."""
    colour = np.exp(rng.uniform(-4, -0.3) + rng.normal(0, 0.35, 3)).clip(0.01, 0.85)
    second = (
        np.exp(rng.uniform(-3, -0.3) + rng.normal(0, 0.4, 3)).clip(0.01, 0.85) if rng.random() < 0.3 else np.zeros(3)
    )
    r, g, b = (float(v) for v in colour)
    r2, g2, b2 = (float(v) for v in second)
    return Plain(
        (r, g, b),
        roughness=float(rng.uniform(0.6, 0.9)),
        gloss=float(rng.uniform(0.0, 0.4)),
        mottle=float(rng.uniform(0.02, 0.15)),
        mottle_cm=float(rng.uniform(0.2, 2.0)),
        bumps=float(rng.uniform(0.05, 0.35)),
        bump_cm=float(rng.uniform(0.1, 0.25)),
        stripes=(r2, g2, b2),
        stripe_cm=float(rng.uniform(0.6, 3.0)),
        salt=salt_of(rng),
    )


def _skin_like(wearer: Wearer) -> Plain:
    tone = wearer.skin_style.tone * (0.42 if wearer.skin_style.photos else 1.0)
    r, g, b = (float(v) for v in tone.clip(0, 0.9))
    return Plain((r, g, b), roughness=0.55, gloss=0.5, mottle=0.05)


def _add_torso(wearer: Wearer, material: int, *, folds: float, rng: np.random.Generator) -> None:
    """Rings from the collar down, with folds that run down and outwards."""
    columns, rows = 56, 22
    angle = np.arange(columns) / columns * 2 * np.pi
    ring = np.array(
        [
            np.interp(np.linspace(0, len(TORSO) - 1, rows), np.arange(len(TORSO)), part)
            for part in zip(*TORSO, strict=True)
        ]
    )
    cosine, sine = np.cos(angle), np.sin(angle)
    # a body is broader than an ellipse
    x = np.sign(cosine) * np.abs(cosine) ** 0.85 * ring[0][:, None]
    z = np.sign(sine) * np.abs(sine) ** 0.85 * ring[1][:, None] + NECK_AXIS_CM[2]
    y = np.repeat(ring[2][:, None], columns, 1)
    size = float(rng.uniform(0.92, 1.1)) * (1.0 if wearer.identity.age_years > 12 else 0.82)
    vertices = np.stack([x * size, y, z * size], -1).reshape(-1, 3)
    places = (vertices / np.array([2.6, 7.0, 2.6])).astype(np.float32)
    fold = value_noise(places, salt_of(rng)) + 0.5 * value_noise(places * 2, salt_of(rng))
    outwards = vertices - np.array([0, -22.0, NECK_AXIS_CM[2]])
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    vertices = vertices + outwards * (0.3 + folds * np.abs(fold))[:, None]
    mesh = make_mesh(vertices, grid_faces(rows, columns, closed=True), material)
    wearer.parts.add(replace(mesh, stiffness=np.full(len(vertices), SHOULDER_SHARE, np.float32)))


def _add_collar_shell(wearer: Wearer, kind: str, material: int, rng: np.random.Generator) -> None:
    """Cloth close to the neck, whose upper edge is the collar."""
    head = wearer.studio.head
    rest = head.neutral
    front = smooth_step(1.0, 5.0, rest[:, 2] + 2.5) * bump(rest[:, 0], 0, 3.2)
    line = {"turtleneck": -8.9, "hoodie": -11.2, "scarf": -10.8}.get(kind, -11.2) + float(rng.uniform(-0.9, 0.4))
    depth = float(rng.uniform(2.0, 5.5)) if kind in ("v neck", "shirt") else float(rng.uniform(0.0, 1.0))
    edge = line - depth * front + 0.1 * (rest[:, 2] + 2.5) * -1.0
    inside = edge - rest[:, 1]
    thick = (
        0.35 + 0.25 * bump(inside, 0.25, 0.3) + 0.2 * np.clip(value_noise(rest / np.float32(1.8), salt_of(rng)), 0, 1)
    )
    if kind == "turtleneck":
        thick = thick + 0.4 * bump(inside, 1.0, 1.0)
    offset = wearer.studio.normals * thick[:, None].astype(np.float32)
    cover = (inside * 8).astype(np.float32)
    cover[rest[:, 1] > -8.0] = -1.0
    faces = head.faces[head.material == SKIN]
    wearer.parts.shells.append(make_shell(wearer.base, faces, offset, material, cover=cover, rest=rest))


def _neck_ring(wearer: Wearer, places: int = 32) -> Floats:
    """(32, 3) round the neck at its foot, from the subject's left over the front."""
    neck = wearer.base[(np.abs(wearer.studio.head.neutral[:, 1] + 11.0) < 1.2)]
    angle = np.arange(places) / places * 2 * np.pi
    directions = np.stack([np.cos(angle), np.sin(angle)], 1)
    reach = np.quantile((neck[:, [0, 2]] - NECK_AXIS_CM[[0, 2]]) @ directions.T, 0.97, axis=0)
    height = -11.2 - 0.9 * np.sin(angle) - 0.6 * np.abs(np.cos(angle))
    return np.stack([directions[:, 0] * reach, height, directions[:, 1] * reach + NECK_AXIS_CM[2]], 1).astype(
        np.float32
    )


def _on_neck(mesh: Mesh) -> Mesh:
    return replace(mesh, stiffness=stiffness(np.ascontiguousarray(mesh.vertices[:, 1])))


def _shirt_collar(neck: Floats, material: int, rng: np.random.Generator) -> Mesh:
    """A band that stands round the neck, folded outwards, open in front."""
    count = len(neck)
    start = count // 4 + 1
    order = (np.arange(count - 1) + start) % count
    ring = neck[order]
    outwards = ring - np.array([0, 0, NECK_AXIS_CM[2]], np.float32)
    outwards[:, 1] = 0
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    tall = float(rng.uniform(1.6, 2.6))
    open_ = np.abs(np.linspace(-1, 1, len(ring)))[:, None] ** 6
    rows = [
        ring + 0.3 * outwards - 0.6 * up,
        ring + 0.35 * outwards + tall * up,
        ring + 0.7 * outwards + (tall + 0.15) * up,
        ring + 1.5 * outwards + (0.2 - 1.6 * open_) * up,
    ]
    return _on_neck(make_mesh(np.concatenate(rows), grid_faces(4, len(ring)), material))


def _add_rolls(
    wearer: Wearer, neck: Floats, material: int, rng: np.random.Generator, *, thick: float, low: float, count: int
) -> None:
    """Rolls of cloth that lie round the neck."""
    for roll in range(count):
        outwards = neck - np.array([0, 0, NECK_AXIS_CM[2]], np.float32)
        outwards[:, 1] = 0
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        wave = value_noise((neck / 3.0).astype(np.float32) + roll * 7, salt_of(rng))[:, None]
        path = neck + outwards * (thick * 0.7 + 0.3 * roll) + np.array([0, 1.5 * roll - low, 0]) + 0.5 * wave
        mesh = make_mesh(*tube(path, thick * (1 + 0.25 * wave[:, 0]), sides=12, closed=True), material)
        wearer.parts.add(_on_neck(mesh))
