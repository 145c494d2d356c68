"""Skin: photographed or made by program, toned, with lips, brows, freckles, wrinkles, stubble and make-up."""

# N shown pixels

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.noise import bump, salt_of, smooth_step, value_noise, vector_noise
from startrack.train.synthetic.head.face_map import FaceMap
from startrack.train.synthetic.head.identity import Identity, child_weight, old_weight
from startrack.train.synthetic.surface.material import (
    LINEAR_OF_BYTE,
    Look,
    Surface,
    filled,
    mixed,
    sample_texture,
    tilted,
    tinted,
)

PALE, DARK = np.array([0.60, 0.40, 0.31]), np.array([0.075, 0.037, 0.022])
"""Albedo of skin with the least and the most melanin, linear RGB."""
BLACK = np.zeros(3, np.float32)
WRAP = (0.24, 0.11, 0.07)
"""Red light runs further below skin than blue."""


@dataclass(frozen=True, slots=True, eq=False)
class SkinStyle:
    """A person's skin."""

    tone: Floats
    """(3,) linear RGB in the mean."""
    melanin: float
    """0 to 1."""
    photos: tuple[NDArray[np.uint8], ...]
    """None, or the two textures that are mixed."""
    share: float
    """Of the second texture."""
    redness: float
    freckles: float
    wrinkles: float
    """0 to about 1.2."""
    pores: float
    oil: float
    """Factor of the mirrored light."""
    roughness: float
    lip_colour: Floats
    """(3,) factor of the tone."""
    lip_gloss: float
    shadow: Floats
    """(3,) colour of make-up on the lids."""
    shadow_share: float
    brow_colour: Floats
    """(3,) linear RGB."""
    brow_share: float
    brow_half_cm: float
    brow_lift_cm: float
    stubble: str
    """Kind of beard that darkens the skin; empty: none."""
    stubble_share: float
    hair_colour: Floats
    """(3,) of stubble and of the hair's roots."""
    roots: float
    """Darkness of the scalp under hair."""
    salt: int


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """The material of the head's skin."""

    style: SkinStyle
    face: FaceMap

    def look(self, surface: Surface) -> Look:
        """Layers from the inside out: tone, blood, spots, lips, make-up, hair; Material.look."""
        style, rest = self.style, surface.rest
        lips = self.face.lips(rest)
        albedo = self._base(surface, lips)
        albedo = _blood(albedo, rest, style)
        albedo = _make_up(albedo, rest, style)
        albedo, hair_cover = self._hair(albedo, rest)
        gradient = style.pores * 0.5 * vector_noise(rest / 0.09, style.salt + 5)
        if style.wrinkles > 0.05:
            gradient = gradient + _wrinkles(rest, style, surface.axes)
        rough = style.roughness - 0.2 * style.lip_gloss * lips
        gloss = style.oil * (1 + style.lip_gloss * lips) * (1 - 0.8 * hair_cover) * (0.75 + 0.5 * _oily(rest))
        count = len(rest)
        normal = tilted(surface.normal, gradient.astype(np.float32))
        return Look(np.clip(albedo, 0.002, 0.95), normal, filled(count, 0) + rough, filled(count, 0) + gloss, WRAP)

    def _base(self, surface: Surface, lips: Floats) -> Floats:
        style, rest = self.style, surface.rest
        albedo: Floats
        if style.photos:
            first, second = (sample_texture(photo, surface.uv, LINEAR_OF_BYTE) for photo in style.photos)
            albedo = np.asarray((first + style.share * (second - first)) * style.tone, np.float32)
        else:
            albedo = np.repeat(style.tone[None], len(rest), 0)
            albedo = tinted(albedo, BLACK, 1 - np.exp(0.07 * value_noise(rest / 0.35, style.salt + 9)))
            natural = lips * (0.8 + 0.12 * value_noise(rest / np.array([0.12, 0.8, 0.8], np.float32), style.salt + 8))
            colour = style.tone * np.array([0.86, 0.58, 0.6], np.float32)
            albedo = mixed(albedo, colour, natural)
        albedo = tinted(albedo, style.lip_colour, lips)
        spots = 0.06 * value_noise(rest / 1.6, style.salt) + 0.05 * value_noise(rest / 0.2, style.salt + 1)
        return tinted(albedo, BLACK, 1 - np.exp(spots))

    def _hair(self, albedo: Floats, rest: Floats) -> tuple[Floats, Floats]:
        """Brows, stubble and the roots of the hair on the skin, and the share of each pixel that they cover."""
        style = self.style
        covered = np.zeros(len(rest), np.float32)
        brows = self.face.brows(rest, style.brow_half_cm, style.brow_lift_cm)
        if style.brow_share and brows.any():
            covered = brows * style.brow_share * _strands(rest, style.salt + 2, (0.34, 0.07, 1.0))
            covered = np.clip(covered, 0, 0.96)
            albedo = mixed(albedo, style.brow_colour, covered)
        if style.stubble:
            beard = self.face.beard(rest, style.stubble) * style.stubble_share
            beard = np.clip(beard * _strands(rest, style.salt + 3, (0.08, 0.1, 0.1)), 0, 0.95)
            albedo = mixed(albedo, style.hair_colour, beard)
            covered = np.maximum(covered, beard)
        if style.roots:
            roots = style.roots * scalp(rest)
            albedo = mixed(albedo, style.hair_colour, roots)
            covered = np.maximum(covered, roots)
        return albedo, covered


def scalp(rest: Floats) -> Floats:
    """(N,) 1 where hair grows on the mean head, 0 on the face, the ears and the neck."""
    x, y, z = rest[:, 0], rest[:, 1], rest[:, 2]
    ear = np.hypot(y - 1.8, 1.2 * (z + 0.3)) < 3.6
    # the hairline: over the forehead, down the temple before the ear, behind it down to the neck
    front = 9.0 - 0.055 * x**2
    line = np.interp(z, [-9, -4.5, -3.0, -1.0, 1.2, 3.0, 5.0, 8.0], [-5.5, -4.5, -1.0, 5.4, 3.2, 4.6, 6.2, 8.6])
    line = np.where(z > 5.0, np.maximum(line, front), line)
    result: Floats = smooth_step(-0.5, 0.9, y - line) * ~(ear & (np.abs(x) > 6.9) & (y < 5.0))
    return result


def draw_skin(
    identity: Identity, photos: tuple[NDArray[np.uint8], ...], hair_colour: Floats, rng: np.random.Generator
) -> SkinStyle:
    """A person's skin. photos: the assets' skins; with none of them it is made by program."""
    old, child = old_weight(identity.age_years), child_weight(identity.age_years)
    melanin = float(rng.beta(1.0, 1.2))
    tone = np.exp((1 - melanin) * np.log(PALE) + melanin * np.log(DARK)) * np.exp(rng.normal(0, [0.06, 0.06, 0.1]))
    chosen: tuple[NDArray[np.uint8], ...] = ()
    if photos and rng.random() < 0.75:
        pair = rng.integers(len(photos), size=2)
        chosen = (photos[pair[0]], photos[pair[1]])
    share = float(rng.random())
    if chosen:
        tone = tone / _mean_tone(chosen, share)
    painted = identity.female and identity.age_years > 15 and rng.random() < 0.5
    lip = np.array([rng.uniform(0.85, 1.6), rng.uniform(0.3, 0.8), rng.uniform(0.35, 0.85)])
    return SkinStyle(
        tone=tone.astype(np.float32),
        melanin=melanin,
        photos=chosen,
        share=share,
        redness=float(rng.uniform(0, 0.2) * (1 - 0.7 * melanin)),
        freckles=float(rng.uniform(0.2, 0.8) * (1 - melanin)) if rng.random() < 0.12 else 0.0,
        wrinkles=float(old * rng.uniform(0.6, 1.1) + 0.12 * rng.random() * (1 - child)),
        pores=float(rng.uniform(0.03, 0.16) * (1 - 0.6 * child)),
        oil=float(rng.uniform(0.2, 1.0)),
        roughness=float(rng.uniform(0.45, 0.66)),
        lip_colour=(lip if painted else np.exp(rng.normal(0, 0.07, 3))).astype(np.float32),
        lip_gloss=float(rng.uniform(0.3, 1.2) if painted else rng.uniform(0, 0.5)),
        shadow=np.exp(rng.uniform(-3.5, -0.8) + rng.normal(0, 0.5, 3)).astype(np.float32),
        shadow_share=float(rng.uniform(0.2, 0.8)) if painted and rng.random() < 0.6 else 0.0,
        brow_colour=(hair_colour * rng.uniform(0.5, 1.0)).astype(np.float32),
        brow_share=float(rng.uniform(0.5, 1.0) * (1 - 0.5 * child)),
        brow_half_cm=float(rng.uniform(0.3, 0.5) if identity.female or child > 0.3 else rng.uniform(0.4, 0.75)),
        brow_lift_cm=float(rng.normal(0, 0.06)),
        stubble="",
        stubble_share=0.0,
        hair_colour=hair_colour,
        roots=0.0,
        salt=salt_of(rng),
    )


def with_stubble(style: SkinStyle, kind: str, share: float) -> SkinStyle:
    """The skin with a beard's shade on it."""
    return replace(style, stubble=kind, stubble_share=share)


def _mean_tone(photos: tuple[NDArray[np.uint8], ...], share: float) -> NDArray[np.floating]:
    """(3,) median colour of the face in the mixed textures, which the tone is relative to."""
    parts = [np.median(LINEAR_OF_BYTE[p[150:450:8, 75:435:8]].reshape(-1, 3), axis=0) for p in photos]
    mixed: NDArray[np.floating] = np.maximum(parts[0] * (1 - share) + parts[1] * share, 0.01)
    return mixed


def _strands(rest: Floats, salt: int, size_cm: tuple[float, float, float]) -> Floats:
    """(N,) about 0.4 to 1.5: fine hairs of a size along x, y and z."""
    slanted = rest.copy()
    slanted[:, 1] += 0.35 * np.abs(rest[:, 0])
    return 1.0 + 0.55 * value_noise(slanted / np.array(size_cm, np.float32), salt)


def _blood(albedo: Floats, rest: Floats, style: SkinStyle) -> Floats:
    """Redder cheeks, nose and ears; darker below the eyes; freckles."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    red = np.maximum(bump(x, 4.6, 2.0) * bump(y, -0.3, 2.2), bump(x, 0.0, 1.3) * bump(y, 0.3, 1.4)) * (z > 6)
    red = np.maximum(red, 0.8 * (x > 7.6) * smooth_step(-2, 0, y)) * style.redness
    albedo = tinted(albedo, np.array([1.0, 0.1, 0.2], np.float32), red)
    bags = bump(x, 3.0, 1.3) * bump(y, 2.2, 0.6) * (z > 6) * (0.05 + 0.2 * style.wrinkles)
    albedo = tinted(albedo, BLACK, bags)
    if style.freckles:
        field_ = smooth_step(0.45, 0.75, value_noise(rest / 0.28, style.salt + 4)) * smooth_step(7, 3, x) * (z > 4)
        albedo = tinted(albedo, np.array([0.67, 0.505, 0.45], np.float32), style.freckles * field_)
    return albedo


def _make_up(albedo: Floats, rest: Floats, style: SkinStyle) -> Floats:
    if not style.shadow_share:
        return albedo
    x, y = np.abs(rest[:, 0]), rest[:, 1]
    lid = (
        bump(x, 3.2, 1.7) * smooth_step(3.7, 4.0, y) * smooth_step(5.0, 4.3, y) * (rest[:, 2] > 7) * style.shadow_share
    )
    return mixed(albedo, style.shadow, lid)


def _oily(rest: Floats) -> Floats:
    """(N,) 1 on forehead and nose, which shine most."""
    forehead = bump(rest[:, 0], 0, 4.0) * bump(rest[:, 1], 7.5, 2.0)
    nose = bump(rest[:, 0], 0, 1.2) * bump(rest[:, 1], 1.5, 2.0)
    result: Floats = np.maximum(forehead, nose) * (rest[:, 2] > 6)
    return result


def _wrinkles(rest: Floats, style: SkinStyle, axes: Floats) -> Floats:
    """(N, 3) gradient of lines on the forehead, round the eyes, from nose to mouth and on the throat."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    wave = 0.5 * value_noise(rest / np.array([2.2, 3.0, 3.0], np.float32), style.salt + 6)
    front = (z > 5).astype(np.float32)
    forehead = np.sin((y + 0.5 * wave) * 2 * np.pi / 0.95) * bump(y, 7.6, 1.5) * smooth_step(5.5, 3.0, x) * front
    feet = np.zeros_like(x)
    eye = np.flatnonzero((np.abs(x - 5.6) < 2.7) & (np.abs(y - 3.3) < 2.7) & (z > 3))
    around = np.arctan2(y[eye] - 3.3, x[eye] - 3.9)
    feet[eye] = np.sin(around * 13 + 2 * wave[eye]) * bump(np.hypot(x[eye] - 5.6, y[eye] - 3.3), 0, 0.9)
    fold_x = np.interp(y, [-5.0, -3.5, -1.0, 0.2], [3.4, 3.3, 2.5, 1.7]).astype(np.float32)
    away = (x - fold_x + 0.15 * wave) / 0.32
    fold = -2.2 * away * np.exp(-(away**2)) * smooth_step(-5.2, -3.8, y) * smooth_step(0.4, -0.4, y) * (z > 7)
    throat = np.sin((y + wave) * 2 * np.pi / 1.3) * smooth_step(-8.5, -9.5, y) * 0.6
    fine = value_noise(rest / np.array([0.5, 0.16, 0.5], np.float32), style.salt + 7) * 0.5 * front
    up = (forehead + throat + 0.9 * feet + fine) * style.wrinkles * 0.5
    side = np.sign(rest[:, 0]) * fold * style.wrinkles * 0.4
    result: Floats = np.asarray(np.stack([up, side], 1) @ axes[1::-1], np.float32)
    return result
