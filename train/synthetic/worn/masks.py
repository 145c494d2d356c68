"""Masks over mouth and nose: surgical ones with pleats, cloth ones, and respirators."""

# V head vertices

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Indices, make_mesh, tube
from startrack.train.synthetic.geometry.noise import bump
from startrack.train.synthetic.head.markup import face_triangles
from startrack.train.synthetic.parts import make_shell
from startrack.train.synthetic.surface.material import Look, Plain, Surface, tilted
from startrack.train.synthetic.worn.clothes import draw_cloth
from startrack.train.synthetic.worn.glasses import EARS
from startrack.train.synthetic.worn.wearer import Wearer

SHARE = 0.06
KINDS = ("surgical", "cloth", "respirator")
SHARES = (0.5, 0.25, 0.25)
TOP = ((0.0, 1.0, 2.4, 4.0, 5.6, 6.8), (1.9, 1.5, 0.4, -0.6, -1.2, -1.6))
"""Upper edge by distance from the middle, cm on the mean head."""
GAP_CM = 0.25
"""Between skin and mask."""
SMOOTHINGS = 120


@dataclass(frozen=True, slots=True)
class Pleated:
    """Cloth with pleats from side to side."""

    cloth: Plain
    pleat_cm: float

    def look(self, surface: Surface) -> Look:
        """The cloth's answer on pleats; Material.look."""
        within = surface.rest[:, 1] / self.pleat_cm
        step = (within - np.floor(within)) - 0.5
        strength = 0.55 * np.exp(-((np.abs(step) - 0.5) ** 2) / 0.01) * (np.abs(surface.rest[:, 0]) < 5.0)
        plain = self.cloth.look(surface)
        normal = tilted(plain.normal, strength.astype(np.float32)[:, None] * surface.axes[1])
        return Look(plain.albedo, normal, plain.roughness, plain.gloss)


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Put a mask on some faces; its kind, empty without."""
    if rng.random() > SHARE:
        return ""
    kind = str(rng.choice(KINDS, p=np.array(SHARES)))
    low = rng.random() < 0.12  # below the nose
    head = wearer.studio.head
    rest, faces = head.neutral, face_triangles(head)
    cover = _covered(rest, low=bool(low), slack=float(rng.normal(0, 0.25)))
    number = wearer.parts.material(_material(kind, rng))
    tented = _tented(wearer, faces, cover, beak=float(rng.uniform(0.4, 1.2)) if kind == "respirator" else 0.0)
    wearer.parts.shells.append(make_shell(wearer.base, faces, tented - wearer.base, number, cover=cover, rest=rest))
    strings = wearer.parts.material(Plain((0.75, 0.75, 0.75), roughness=0.8, gloss=0.1))
    for path in _strings(wearer, tented):
        wearer.parts.add(make_mesh(*tube(path, 0.12, sides=5), strings))
    return f"{kind}{' below the nose' if low else ''}"


def _material(kind: str, rng: np.random.Generator) -> Plain | Pleated:
    if kind == "cloth":
        return draw_cloth(rng)
    colours = ((0.35, 0.62, 0.75), (0.8, 0.8, 0.8), (0.02, 0.02, 0.02), (0.75, 0.45, 0.5), (0.3, 0.6, 0.45))
    shade = np.array(colours[int(rng.choice(5, p=[0.45, 0.3, 0.15, 0.05, 0.05]))]) * rng.uniform(0.8, 1.05)
    r, g, b = (float(v) for v in shade)
    plain = Plain((r, g, b), roughness=0.8, gloss=0.2, mottle=0.04, mottle_cm=0.2, bumps=0.1)
    return Pleated(plain, float(rng.uniform(1.0, 1.6))) if kind == "surgical" else plain


def _covered(rest: Floats, *, low: bool, slack: float) -> Floats:
    """(V,) opacity: distance inside the mask's edges."""
    away = np.abs(rest[:, 0])
    top = np.where(low, -1.7 - 0.05 * away, np.interp(away, *TOP)) + slack
    side = 6.4 + 0.12 * (rest[:, 1] + 3)
    bottom = np.minimum(rest[:, 1] + 8.9, rest[:, 2] - 5.2)
    inside = np.minimum(np.minimum(top - rest[:, 1], side - away), bottom)
    result: Floats = (inside * 8).astype(np.float32)
    return result


def _tented(wearer: Wearer, faces: Indices, cover: Floats, beak: float) -> Floats:
    """(V, 3) the covered skin's vertices on a cloth that spans its hollows: smoothed again and again, but never nearer
    to the skin than GAP_CM."""
    base, normals = wearer.base, wearer.studio.normals
    inside = cover > -6.0
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[inside[edges].all(1)]
    both = np.concatenate([edges, edges[:, ::-1]])
    graph = csr_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=(len(base), len(base)))
    degree = np.asarray(graph.sum(1)).ravel()
    free = inside & (degree > 0)
    rows, outwards = graph[free][:, free], normals[free]
    depth = np.clip(cover / 8, 0, 1.5)
    cloth_ = base + (GAP_CM + depth)[:, None] * normals
    # a mask stands off the lips: its fold lies across them
    rest = wearer.studio.head.neutral
    stand_off = GAP_CM + 0.45 * bump(rest[:, 0], 0, 2.6) * bump(rest[:, 1], -3.4, 1.9)
    skin = base[free] + stand_off[free][:, None] * outwards
    part = _smoothed(cloth_[free], skin, outwards, rows.indptr, rows.indices, SMOOTHINGS)
    cloth_[free] = part
    if beak:
        out = beak * bump(rest[:, 0], 0, 1.6) * bump(rest[:, 1], -2.5, 3.0)
        cloth_ = cloth_ + np.array([0, 0, 1], np.float32) * out[:, None]
    return cloth_.astype(np.float32)


@compiled
def _smoothed(cloth_, skin, outwards, starts, neighbours, times):  # type: ignore[no-untyped-def]
    """(N, 3) places moved to their neighbours' mean again and again, and out to the skin where they lie below it.

    starts: (N + 1,) where each place's numbers begin among the neighbours'.
    """
    old, new = cloth_, np.empty_like(cloth_)
    for _ in range(times):
        for i in range(old.shape[0]):
            x = y = z = np.float32(0.0)
            for k in range(starts[i], starts[i + 1]):
                x, y, z = x + old[neighbours[k], 0], y + old[neighbours[k], 1], z + old[neighbours[k], 2]
            count = np.float32(starts[i + 1] - starts[i])
            x, y, z = x / count, y / count, z / count
            below = (skin[i, 0] - x) * outwards[i, 0] + (skin[i, 1] - y) * outwards[i, 1]
            below = max(below + (skin[i, 2] - z) * outwards[i, 2], np.float32(0.0))
            new[i, 0], new[i, 1], new[i, 2] = (
                x + below * outwards[i, 0],
                y + below * outwards[i, 1],
                z + below * outwards[i, 2],
            )
        old, new = new, old
    return old


def _strings(wearer: Wearer, tented: Floats) -> list[Floats]:
    """Two loops an ear, from the mask's corners behind it."""
    rest = wearer.studio.head.neutral
    paths = []
    for side, vertex in zip((-1, 1), EARS, strict=True):
        ear = wearer.base[wearer.studio.head.number[vertex]]
        for height, end in ((-1.7, 1.0), (-5.6, -2.2)):
            corner = tented[np.hypot(rest[:, 0] - side * 6.1, rest[:, 1] - height).argmin()]
            behind = ear + np.array([side * 0.9, end, -2.4])
            share = np.linspace(0, 1, 9)[:, None]
            outwards = np.array([side * 0.75, 0, 0]) * np.sin(share * np.pi)
            paths.append((corner * (1 - share) + behind * share + outwards).astype(np.float32))
    return paths
