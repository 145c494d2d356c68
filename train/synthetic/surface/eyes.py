"""Eyes: an eyeball of true size seen through the head's eye opening, and lashes on the lids."""

# N shown pixels

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats, Indices, Mesh, grid_faces, make_mesh, merge, unit
from startrack.train.synthetic.geometry.noise import salt_of, smooth_step, value_noise
from startrack.train.synthetic.geometry.rays import Anchors, nearest_anchors
from startrack.train.synthetic.head.head_model import EYE_RADIUS_CM, IRIS_DEPTH_CM, HeadModel
from startrack.train.synthetic.surface.material import Look, Surface, filled

IRIS_RADIUS_CM = 0.59
CORNEA_RADIUS_CM = 0.78
"""Radius of the cornea's own sphere, which bulges out of the eyeball."""
IRISES = {
    "brown": (0.16, 0.07, 0.03),
    "dark": (0.05, 0.022, 0.012),
    "hazel": (0.2, 0.13, 0.05),
    "green": (0.16, 0.2, 0.1),
    "blue": (0.17, 0.28, 0.42),
    "grey": (0.26, 0.3, 0.33),
    "amber": (0.36, 0.19, 0.06),
}
IRIS_SHARES = (0.36, 0.22, 0.12, 0.07, 0.13, 0.07, 0.03)


@dataclass(frozen=True, slots=True)
class EyeStyle:
    """Both eyes of a person."""

    iris: tuple[float, float, float]
    """Linear RGB."""
    pupil_share: float
    """Of the iris's radius."""
    white: tuple[float, float, float]
    veins: float
    salt: int


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """The material of one eye's opening: its pixels look at the eyeball behind it."""

    style: EyeStyle
    centre: Floats
    """(3,) of the eyeball in the camera's frame, cm."""
    gaze: Floats
    """(3,) unit direction of the eye in the camera's frame."""
    scale: float
    """Size of the eyeball over EYE_RADIUS_CM."""

    def look(self, surface: Surface) -> Look:
        """White, iris and pupil where the view's ray meets them; Material.look."""
        ray = -surface.view
        radius = EYE_RADIUS_CM * self.scale
        place = _on_sphere(surface.position - self.centre, ray, radius)
        normal = unit(place)
        white = (
            np.array(self.style.white, np.float32) * np.exp(0.04 * value_noise(place / 0.3, self.style.salt))[:, None]
        )
        veins = smooth_step(0.55, 0.8, np.abs(value_noise(place / np.array([0.22, 0.05, 0.3], np.float32), 3)))
        white = white * (1 - (self.style.veins * veins)[:, None] * np.array([0.1, 0.5, 0.5], np.float32))
        corner = smooth_step(0.86, 1.06, np.linalg.norm(_off_axis(place, surface.axes[2]), axis=1) / self.scale)
        white = white * (1 - corner[:, None] * np.array([0.15, 0.45, 0.45], np.float32))
        away, colour = self._iris(surface.position - self.centre, ray)
        inside = smooth_step(1.04, 0.96, away)
        albedo = white * (1 - inside[:, None]) + colour * inside[:, None]
        cornea = _on_sphere(
            surface.position - self.centre - self.gaze * (radius - 0.66 * self.scale),
            ray,
            CORNEA_RADIUS_CM * self.scale,
        )
        cornea = unit(cornea)
        clear = smooth_step(1.1, 0.9, away)[:, None]
        normal = normal * (1 - clear) + cornea * clear
        normal = unit(normal)
        count = len(place)
        rough = filled(count, 0.24) - 0.1 * clear[:, 0]
        return Look(albedo.astype(np.float32), normal.astype(np.float32), rough, filled(count, 1.1))

    def _iris(self, origin: Floats, ray: Floats) -> tuple[Floats, Floats]:
        """Distance from the iris's centre over its radius, and the iris's colour there."""
        depth = IRIS_DEPTH_CM * self.scale
        towards = ray @ self.gaze
        along = (depth - origin @ self.gaze) / np.where(np.abs(towards) < 0.05, -0.05, towards)
        disc = origin + along[:, None] * ray - self.gaze * depth
        away = (np.linalg.norm(disc, axis=1) / (IRIS_RADIUS_CM * self.scale)).astype(np.float32)
        behind = (origin @ self.gaze < -0.2) | (towards > 0.3)
        away = np.where(behind, 9.0, away).astype(np.float32)
        angle = np.arctan2(disc[:, 1], disc[:, 0])
        fibre_place = np.stack([np.cos(angle) * 5, np.sin(angle) * 5, away * 0.8], 1).astype(np.float32)
        fibres = np.exp(0.45 * value_noise(fibre_place * 2, self.style.salt + 1))
        ring = (
            1
            - 0.75 * smooth_step(0.72, 1.0, away)
            + 0.35 * np.exp(-(((away - self.style.pupil_share - 0.12) / 0.12) ** 2))
        )
        colour = np.array(self.style.iris, np.float32) * (fibres * ring)[:, None]
        pupil = smooth_step(self.style.pupil_share + 0.04, self.style.pupil_share - 0.04, away)[:, None]
        return away, (colour * (1 - pupil) + 0.004 * pupil).astype(np.float32)


def _on_sphere(origin: Floats, ray: Floats, radius: float) -> Floats:
    """(N, 3) where rays from places (N, 3) meet a sphere about 0; rays that miss it take its nearest place."""
    nearest = -(origin * ray).sum(1)
    foot = origin + nearest[:, None] * ray
    gap = radius**2 - (foot * foot).sum(1)
    hit = origin + (nearest - np.sqrt(np.maximum(gap, 0)))[:, None] * ray
    length = np.linalg.norm(hit, axis=1, keepdims=True)
    result: Floats = (hit * (radius / np.maximum(length, 1e-6))).astype(np.float32)
    return result


def _off_axis(places: Floats, axis: Floats) -> Floats:
    return places - (places @ axis)[:, None] * axis


def draw_eyes(rng: np.random.Generator) -> EyeStyle:
    """A person's eyes."""
    iris = (
        np.array(IRISES[str(rng.choice(list(IRISES), p=np.array(IRIS_SHARES)))])
        * rng.uniform(0.45, 0.95)
        * np.exp(rng.normal(0, 0.12, 3))
    )
    white = np.array([0.66, 0.62, 0.58]) * rng.uniform(0.7, 1.15)
    red, green, blue = (float(v) for v in iris)
    a, b, c = (float(v) for v in white)
    return EyeStyle(
        (red, green, blue), float(rng.uniform(0.25, 0.6)), (a, b, c), float(rng.uniform(0, 0.7)), salt_of(rng)
    )


def gaze_direction(gaze_deg: tuple[float, float]) -> Floats:
    """(3,) unit direction in the head's frame of a gaze to the subject's left and up."""
    side, up = np.deg2rad(gaze_deg)
    return np.array([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)], np.float32)


LASHES = 46
LASH_STEPS = 4
LID_POINTS = {"upper": (36, 37, 38, 39), "lower": (36, 41, 40, 39)}
"""Landmarks along the right eye's lids, from the outer corner inwards."""


@dataclass(frozen=True, slots=True, eq=False)
class LashRoots:
    """Where lashes grow: places along the edges of the four lids."""

    anchors: Anchors
    """(4 · LASHES) right upper, right lower, left upper, left lower; from the outer corner inwards."""


def make_lash_roots(head: HeadModel, landmarks: Floats, skin_faces: Indices) -> LashRoots:
    """Roots along curves through the lids' landmarks (68, 3) on the mean head."""
    order = {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}
    roots = []
    for left in (False, True):
        for lid in LID_POINTS.values():
            points = landmarks[[order[p] if left else p for p in lid]].astype(np.float64)
            spread = np.linspace(0, len(lid) - 1, LASHES)
            fitted = np.polynomial.polynomial.polyfit(np.arange(len(lid)), points, 3)
            roots.append(np.polynomial.polynomial.polyval(spread, fitted).T)
    return LashRoots(nearest_anchors(np.concatenate(roots).astype(np.float32), head.neutral, skin_faces))


def lash_mesh(roots: Floats, shut: tuple[float, float], length_cm: float, material: int, centres: Floats) -> Mesh:
    """Lashes as two curved fringes an eye, dense at the lid and clear at their ends.

    roots: (4 · LASHES, 3) on the posed face before the head is turned. shut: how far the right and left eye are shut,
    0 to 1: then the upper lashes hang down. centres: (2, 3) of the eyeballs.
    """
    meshes, share = [], np.linspace(0, 1, LASH_STEPS)
    for row, lid in enumerate(roots.reshape(4, LASHES, 3)):
        eye, upper = row // 2, row % 2 == 0
        across = np.linspace(-1, 1, LASHES)
        out = lid - centres[eye]
        out = out / np.linalg.norm(out, axis=1, keepdims=True)
        lift = (1.0 - 1.7 * shut[eye]) if upper else -0.55
        rise = share[None, :, None] ** 1.6 * lift * np.array([0, 1.0, 0])
        fan = -across[:, None, None] * share[None, :, None] * np.array([0.55 if eye == 1 else -0.55, 0, 0]) * -1
        size = length_cm * (1.0 if upper else 0.55) * (1 - 0.45 * across**2)[:, None, None]
        vertices = lid[:, None] + size * (share[None, :, None] * out[:, None] + 0.7 * rise + 0.4 * fan)
        cover = np.repeat(((1 - share) ** 1.2)[None], LASHES, 0)
        cover = cover * smooth_step(1.0, 0.85, np.abs(across))[:, None]
        strands = np.repeat(across[:, None] * 4, LASH_STEPS, 1)
        uv = np.stack([strands, np.repeat(share[None], LASHES, 0)], -1).reshape(-1, 2)
        faces = grid_faces(LASHES, LASH_STEPS)
        meshes.append(make_mesh(vertices.reshape(-1, 3), faces, material, uv=uv, cover=cover.reshape(-1)))
    return merge(meshes)
