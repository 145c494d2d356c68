"""Hair: card styles of the assets, locks grown by program, and tufts for short and curly hair."""

# V head vertices, R roots, S steps of a lock

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from startrack.train.synthetic.geometry.mesh import Floats, Indices, Mesh, make_mesh
from startrack.train.synthetic.geometry.noise import salt_of, smooth_step, value_noise
from startrack.train.synthetic.head.assets import HairCards
from startrack.train.synthetic.head.head_model import SKIN, HeadModel
from startrack.train.synthetic.head.identity import Identity, age_offset, child_weight, old_weight
from startrack.train.synthetic.parts import make_shell
from startrack.train.synthetic.surface.skin import scalp
from startrack.train.synthetic.surface.strands import Hair, strand_texture, tuft_texture
from startrack.train.synthetic.worn.wearer import Wearer

COLOURS = {
    "black": (0.012, 0.010, 0.009),
    "dark": (0.03, 0.018, 0.012),
    "brown": (0.07, 0.035, 0.018),
    "light": (0.14, 0.075, 0.035),
    "blond": (0.33, 0.22, 0.11),
    "red": (0.22, 0.08, 0.03),
    "grey": (0.35, 0.34, 0.33),
    "white": (0.62, 0.60, 0.58),
}
SHARES = np.array([0.29, 0.22, 0.17, 0.11, 0.10, 0.06, 0.03, 0.02])
CENTRE_CM = np.array([0.0, 3.5, -0.5], np.float32)
"""Middle of the skull on the mean head."""
COVERED_BY = ("hijab", "helmet", "turban", "hood")
"""Headwear that leaves no hair to be seen."""
LOCKS, STEPS = 460, 10
TUFT_LAYERS = 4
HAT_EDGE_CM = 5.0
"""Height above which a hat covers the hair's roots."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How locks fall."""

    length_cm: float
    fringe_cm: float
    """Length of the locks over the forehead."""
    parting_cm: float
    """Where the hair parts, to the subject's left of the middle."""
    combed_back: float
    """0: to the sides, 1: backwards; below 0: forwards."""
    volume_cm: float
    """How far it stays off the skull."""
    curl_cm: float
    width_cm: float


def draw_colour(identity: Identity, rng: np.random.Generator) -> Floats:
    """(3,) linear RGB; the old are mostly grey or white, some of the young dyed."""
    names = list(COLOURS)
    old = old_weight(identity.age_years)
    if rng.random() < 0.8 * min(old * 1.6, 1):
        name = str(rng.choice(["grey", "white"]))
    else:
        name = str(rng.choice(names, p=SHARES / SHARES.sum()))
    colour = np.array(COLOURS[name]) * np.exp(rng.normal(0, 0.2))
    if rng.random() < 0.02:
        colour = np.exp(rng.uniform(-3, -0.7) + rng.normal(0, 0.7, 3))
    result: Floats = colour.clip(0.004, 0.8).astype(np.float32)
    return result


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Add a style to the wearer; its name, empty for a bald head."""
    if worn.get("headwear") in COVERED_BY:
        return ""
    female, age = wearer.identity.female, wearer.identity.age_years
    flat = "headwear" in worn
    cards = wearer.studio.assets.hair if not flat else ()
    bald = 0.02 if female or age < 22 else 0.08 + 0.25 * old_weight(age)
    shares = {
        "bald": bald,
        "buzz": 0.03 if female else 0.12,
        "tufts": 0.08 if female else 0.2,
        "afro": 0.06,
        "locks": 0.45,
        "cards": 0.35 if cards else 0.0,
    }
    names = list(shares)
    kind = str(rng.choice(names, p=np.array(list(shares.values())) / sum(shares.values())))
    if flat and kind in ("afro", "tufts"):
        kind = "buzz"
    match kind:
        case "bald":
            return ""
        case "buzz":
            _paint_roots(wearer, float(rng.uniform(0.45, 0.9)))
        case "tufts":
            _add_tufts(wearer, float(rng.uniform(0.5, 2.2)), fine=True, rng=rng)
        case "afro":
            _add_tufts(wearer, float(rng.uniform(2.0, 6.5)), fine=False, rng=rng)
        case "locks":
            return _add_locks(wearer, _draw_cut(wearer.identity, flat, rng), rng, flat=flat)
        case _:
            return _add_cards(wearer, cards[int(rng.integers(len(cards)))], rng)
    return kind


def _paint_roots(wearer: Wearer, share: float) -> None:
    wearer.skin_style = replace(wearer.skin_style, roots=share)


def _hair_material(wearer: Wearer, brightness: Floats | None, rng: np.random.Generator) -> int:
    colour = wearer.skin_style.hair_colour
    return wearer.parts.material(Hair(colour, brightness, float(rng.uniform(0.15, 0.7)), salt_of(rng)))


def _rounded_normals(mesh: Mesh, centre: Floats) -> Mesh:
    """The mesh with normals mostly away from the skull's middle, so that cards do not show as cards."""
    away = mesh.vertices - centre
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    own = np.where((mesh.normals * away).sum(1, keepdims=True) < 0, -mesh.normals, mesh.normals)
    mixed = 0.35 * own + 0.65 * away
    return replace(mesh, normals=(mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32))


def _add_cards(wearer: Wearer, cards: HairCards, rng: np.random.Generator) -> str:
    """A style of the assets, carried along with the person's skull."""
    _paint_roots(wearer, 0.75)
    head = wearer.studio.head
    near, weights = _skull_below(head, cards)
    offset = wearer.base - head.neutral - age_offset(head.neutral, wearer.identity.age_years)
    moved = cards.vertices + (offset[near] * weights[..., None]).sum(1)
    moved = moved + age_offset(cards.vertices, wearer.identity.age_years)
    moved = CENTRE_CM + (moved - CENTRE_CM) * np.float32(rng.uniform(1.0, 1.05))
    if rng.random() < 0.5:  # mirrored
        moved = moved * np.array([-1, 1, 1], np.float32)
    material = _hair_material(wearer, cards.brightness, rng)
    texture = wearer.parts.texture(cards.opacity)
    mesh = make_mesh(moved, cards.faces, material, uv=cards.uv, texture=texture)
    wearer.parts.add(_rounded_normals(mesh, CENTRE_CM))
    return cards.name


@lru_cache(maxsize=64)
def _skull_below(head: HeadModel, cards: HairCards) -> tuple[Indices, Floats]:
    """(V', 6) model vertices of the skull near each vertex of a style, and their weights."""
    skull = np.flatnonzero(head.neutral[:, 1] > -12)
    skull = skull[skull < head.number[11247]][::3]
    distance, near = cKDTree(head.neutral[skull]).query(cards.vertices, k=6)
    weights = 1 / (distance + 0.3) ** 2
    return skull[near].astype(np.int32), (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _add_tufts(wearer: Wearer, height_cm: float, *, fine: bool, rng: np.random.Generator) -> None:
    """Layers of spots over the scalp: cropped hair, or curls that stand off."""
    _paint_roots(wearer, 0.9)
    head = wearer.studio.head
    grows = scalp(head.neutral)
    texture = wearer.parts.texture(tuft_texture(rng, size_px=0.9 if fine else 3.0, share=0.5))
    material = _hair_material(wearer, None, rng)
    away = wearer.base - CENTRE_CM
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    outwards = wearer.studio.normals * (0.8 if fine else 0.35) + away * (0.2 if fine else 0.65)
    bumpy = 1 + (0.15 if fine else 0.3) * value_noise(head.neutral / np.float32(2.5), salt_of(rng))
    top = smooth_step(2.0, 9.0, head.neutral[:, 1]) if fine else np.ones(len(grows), np.float32)
    comb = rng.normal(0, 0.6, 3) * (1.0 if fine else 0.0)
    full = np.zeros(len(head.neutral), np.float32)
    uv = np.zeros((len(full), 2), np.float32)
    uv[head.source] = head.uv * (9.0 if fine else 5.0)
    faces = head.faces[head.material == SKIN]
    solid = 0.55 if fine else 0.8
    for layer in range(TUFT_LAYERS + 1):  # a solid body, and layers that fray its outline
        share = solid + (1 - solid) * layer / TUFT_LAYERS
        shift = (0.0, 0.0) if fine else rng.random(2)  # straight hairs run through the layers, curls do not
        height = height_cm * share * bumpy * (0.35 + 0.65 * top) * np.clip(grows * 1.5, 0, 1)
        offset = outwards * height[:, None] + (comb * height_cm * share**2 * 0.4)
        cover = (grows - 0.25) * (6.0 if layer == 0 else 1.6 * (1.35 - 0.8 * layer / TUFT_LAYERS))
        shell = make_shell(
            wearer.base,
            faces,
            offset.astype(np.float32),
            material,
            cover=cover,
            uv=uv + np.asarray(shift, np.float32),
            rest=head.neutral,
            texture=texture if layer else -1,
        )
        wearer.parts.add(_rounded_normals(shell.mesh, CENTRE_CM))


def _draw_cut(identity: Identity, flat: bool, rng: np.random.Generator) -> Cut:
    long = rng.random() < (0.75 if identity.female else 0.2)
    length = rng.uniform(14, 34) if long else rng.uniform(3, 11)
    combed = float(rng.choice([0.15, 0.8, -0.5], p=[0.6, 0.3, 0.1]) + rng.normal(0, 0.1))
    fringe = rng.uniform(2.5, 5.5) if rng.random() < 0.35 or combed < 0 else length
    volume = rng.uniform(0.4, 1.6) * (0.3 if flat else 1.0) * (1 - 0.4 * child_weight(identity.age_years))
    return Cut(
        length_cm=float(length),
        fringe_cm=float(fringe),
        parting_cm=float(rng.choice([-3.5, 0.0, 3.5]) + rng.normal(0, 0.7)),
        combed_back=combed,
        volume_cm=float(volume),
        curl_cm=float(rng.uniform(0.3, 1.3)) if rng.random() < 0.35 else float(rng.uniform(0, 0.2)),
        width_cm=float(rng.uniform(0.8, 1.3)),
    )


def _add_locks(wearer: Wearer, cut: Cut, rng: np.random.Generator, *, flat: bool) -> str:
    """Locks from all over the scalp that fall by weight and lie on the skull."""
    _paint_roots(wearer, 0.85)
    roots, outwards, rest = _roots(wearer, rng)
    if flat:
        below = rest[:, 1] < HAT_EDGE_CM
        roots, outwards = roots[below], outwards[below]
    paths = _grown(wearer, roots, outwards, cut, rng)
    material = _hair_material(wearer, None, rng)
    texture = wearer.parts.texture(strand_texture(rng, density=float(rng.uniform(0.35, 0.8))))
    wearer.parts.add(_ribbons(paths, cut, material, texture, rng))
    length = "long" if cut.length_cm > 13 else "short"
    return f"{length} {'curls' if cut.curl_cm > 0.25 else 'locks'}"


def _roots(wearer: Wearer, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """(R, 3) places on the scalp spread evenly, their normals and their places on the mean head."""
    head = wearer.studio.head
    faces = head.faces[head.material == SKIN]
    grows = scalp(head.neutral)
    faces = faces[(grows[faces] > 0.3).all(1)]
    corners = wearer.base[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    drawn = (np.arange(LOCKS) + rng.random(LOCKS)) / LOCKS
    chosen = faces[np.minimum(np.searchsorted(np.cumsum(area) / area.sum(), drawn), len(faces) - 1)]
    share = rng.dirichlet((1, 1, 1), LOCKS).astype(np.float32)[..., None]
    normals = (wearer.studio.normals[chosen] * share).sum(1)
    return (wearer.base[chosen] * share).sum(1), normals, (head.neutral[chosen] * share).sum(1)


def _grown(wearer: Wearer, roots: Floats, outwards: Floats, cut: Cut, rng: np.random.Generator) -> Floats:
    """(R, S, 3) ways of the locks."""
    front = smooth_step(3.0, 6.5, roots[:, 2])
    length = cut.length_cm * (1 - front) + cut.fringe_cm * front
    length = length * rng.uniform(0.8, 1.1, len(roots))
    side = np.where(roots[:, 0] > cut.parting_cm, 1.0, -1.0)
    comb = np.stack(
        [side * (1 - abs(cut.combed_back)), np.full(len(side), -0.1), np.full(len(side), -cut.combed_back)], 1
    )
    if cut.combed_back < 0 or cut.fringe_cm < cut.length_cm:
        comb[:, 2] += 1.1 * front
        comb[:, 0] *= 1 - 0.7 * front
    else:
        comb[:, 2] -= 0.7 * front  # out of the eyes
    comb += rng.normal(0, 0.18, comb.shape)
    direction = 0.3 * outwards + 0.9 * comb
    centre, radii = _skull(wearer)
    salt, place, paths = salt_of(rng), roots - 0.15 * outwards, []
    lift = cut.volume_cm * rng.uniform(0.5, 1.25, len(roots))[:, None]
    for step in range(STEPS):
        paths.append(place)
        curl = np.stack([value_noise((place / np.float32(1.8)).astype(np.float32), salt + k) for k in range(3)], 1)
        stride = (length / (STEPS - 1))[:, None]
        direction = direction + np.array([0, -0.3, 0]) * min(step + 1, 5) / 2 + curl * cut.curl_cm * 0.45
        direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        place = place + direction * stride
        away = (place - centre) / (radii + lift * min(1.0, (step + 1) / 3))
        inside = np.linalg.norm(away, axis=1, keepdims=True)
        pushed = np.where(inside < 1, centre + (place - centre) / np.maximum(inside, 1e-3), place)
        pushed = _off_neck(pushed)
        direction = 0.5 * direction + 0.5 * (pushed - paths[-1]) / np.maximum(stride, 1e-3)
        place = pushed
    return np.stack(paths, 1).astype(np.float32)


def _skull(wearer: Wearer) -> tuple[Floats, Floats]:
    """Centre and radii of an ellipsoid around the head, ears and face's sides included."""
    neutral = wearer.studio.head.neutral
    skull = wearer.base[: wearer.studio.head.number[11247]]
    skull = skull[(neutral[: len(skull), 1] > 1) & (np.abs(neutral[: len(skull), 0]) < 8.2)]
    low, high = skull.min(0), skull.max(0)
    depth = skull[(np.abs(skull[:, 1] - 9) < 1.5), 2]
    centre = np.array([0, CENTRE_CM[1] - 0.5, (depth.min() + depth.max()) / 2], np.float32)
    radii = np.array([(high[0] - low[0]) / 2 + 0.25, high[1] - centre[1], (depth.max() - depth.min()) / 2 + 0.9])
    return centre, radii.astype(np.float32)


def _off_neck(places: NDArray[np.floating]) -> NDArray[np.floating]:
    """Places pushed out of the neck and the shoulders."""
    out = places.copy()
    flat = np.hypot(places[:, 0], places[:, 2] + 2.0)
    neck = (places[:, 1] < -4) & (flat < 7.2)
    factor = np.where(neck, 7.2 / np.maximum(flat, 0.5), 1.0)
    out[:, 0] *= factor
    out[:, 2] = (places[:, 2] + 2.0) * factor - 2.0
    shoulder = -11.0 - 0.32 * np.maximum(flat - 7, 0)
    out[:, 1] = np.maximum(out[:, 1], shoulder - 6.0)
    return out


def _ribbons(paths: Floats, cut: Cut, material: int, texture: int, rng: np.random.Generator) -> Mesh:
    """Each way as a ribbon that lies flat on the skull."""
    count, steps = paths.shape[:2]
    along = np.gradient(paths, axis=1)
    outwards = paths - CENTRE_CM
    across = np.cross(along, outwards)
    across /= np.linalg.norm(across, axis=2, keepdims=True) + 1e-6
    taper = np.linspace(1.0, 0.75, steps, dtype=np.float32)[None, :, None]
    half = (cut.width_cm * rng.uniform(0.7, 1.3, (count,)).astype(np.float32))[:, None, None] / 2 * taper
    # three vertices across, the middle one raised, so that a lock is round
    bulge = 0.12 * outwards / np.linalg.norm(outwards, axis=2, keepdims=True)
    vertices = np.stack([paths - across * half, paths + bulge, paths + across * half], 2)
    start, width = rng.random((count,))[:, None, None], 0.2
    u = start + np.array([0, 0.5, 1.0])[None, None] * width + np.zeros((1, steps, 1))
    v = np.linspace(0.02, 0.98, steps)[None, :, None] + np.zeros((count, 1, 3))
    faces = _ribbon_faces(count, steps)
    uv = np.stack([u, v], -1).reshape(-1, 2)
    cover = np.full(count * steps * 3, 1.3, np.float32)
    mesh = make_mesh(vertices.reshape(-1, 3), faces, material, uv=uv, cover=cover, texture=texture)
    return _rounded_normals(mesh, CENTRE_CM)


def _ribbon_faces(count: int, steps: int) -> Indices:
    first = (np.arange(count)[:, None, None] * steps + np.arange(steps - 1)[None, :, None]) * 3 + np.arange(2)
    quads = np.stack([first, first + 1, first + 3, first + 1, first + 4, first + 3], -1)
    return quads.reshape(-1, 3).astype(np.int32)
